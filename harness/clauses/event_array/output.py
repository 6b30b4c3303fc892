# SPDX-License-Identifier: MIT
"""bpf_perf_event_output(): samples, and what prevents one from being written."""

from __future__ import annotations

from harness.abi.bpf import F_CURRENT_CPU
from harness.abi.pt_regs import PtRegs
from harness.clauses.event_array.parts import (
    E2BIG,
    EINVAL,
    ENOENT,
    ENOSPC,
    EOPNOTSUPP,
    EVENTS,
    OUT,
    clause,
    put,
    stored,
)
from harness.clauses.parts import EVENT, MAP, RING
from harness.clauses.results import DATA, attached, data, keep, results_are
from harness.core_scripts.parts import prctl, u32
from harness.script.clause import Clause, expect, found, records
from harness.script.operations import (
    Disable,
    Enable,
    MapRing,
    OpenOutputEvent,
    ReadCount,
    ReadRing,
    SampleType,
    UpdateElement,
)
from harness.script.outcome import Bytes, Lost, Sample, Unknown
from harness.script.outcome import Piece as Gap

SAMPLE = 48
"""The bytes of a sample with TID, CPU and sixteen bytes of data: header, two fields, size, data, padding."""
ROOM = (4096 - 1) // SAMPLE


def _sample(size: int) -> Sample:
    """Returns a sample with `size` bytes of data, and padding up to where the next record can begin."""
    padding = -(size + 4) % 8
    unknown = (Gap(size, padding, Unknown("padding")),) if padding else ()
    return Sample(raw=Bytes(DATA[:size] + bytes(padding), unknown))


def output_clauses(layout: PtRegs) -> tuple[Clause, ...]:
    flags = (0, F_CURRENT_CPU, 1, 2, F_CURRENT_CPU - 1, 1 << 32, F_CURRENT_CPU | 1 << 32)
    return (
        clause(
            "PEA-20",
            "A sample from bpf_perf_event_output has the bytes the program hands over, padded to where the "
            "next record begins",
            *stored(),
            *attached(layout, data(), put(16), keep(0), put(5), keep(1), put(4), keep(2), put(0), keep(3)),
            prctl(),
            *results_are(0, 0, 0, 0),
            expect(ReadRing(RING), found(_sample(16), _sample(5), _sample(4), _sample(0))),
            expect(ReadCount(OUT), 0),
        ),
        *(
            Clause(
                f"PEA-21.{field.name}",
                f"A sample from bpf_perf_event_output carries PERF_SAMPLE_{field.name} if the event asks for it",
                (
                    *stored(OpenOutputEvent("out", sample_type=field)),
                    *attached(layout, data(), put(), keep(0)),
                    prctl(times=2),
                    *results_are(0),
                    expect(ReadRing(RING), records(2)),
                ),
                since="5.10",
            )
            for field in SampleType
        ),
        clause(
            "PEA-22",
            "bpf_perf_event_output takes an index or BPF_F_CURRENT_CPU as flags; -ENOENT, -E2BIG and -EINVAL "
            "tell what is wrong with others",
            *stored(),
            *attached(layout, data(), *(piece for at, one in enumerate(flags) for piece in (put(16, one), keep(at)))),
            prctl(),
            *results_are(0, 0, ENOENT, E2BIG, E2BIG, EINVAL, EINVAL),
            expect(ReadRing(RING), found(_sample(16), _sample(16))),
        ),
        clause(
            "PEA-23",
            "bpf_perf_event_output returns -ENOSPC if the ring is full, and the ring then tells how many "
            "records were lost",
            *stored(pages=1),
            *attached(layout, data(), put(), keep(0)),
            prctl(times=ROOM),
            *results_are(0),
            prctl(times=3),
            *results_are(ENOSPC),
            expect(ReadRing(RING), records(ROOM)),
            prctl(),
            *results_are(0),
            expect(ReadRing(RING), found(Lost(3), _sample(16))),
        ),
        clause(
            "PEA-24",
            "bpf_perf_event_output returns -ENOSPC if the event has no ring, or one without data pages",
            EVENTS,
            OpenOutputEvent("out"),
            expect(UpdateElement(MAP, u32(0), OUT), 0),
            *attached(layout, data(), put(), keep(0)),
            prctl(),
            *results_are(ENOSPC),
            expect(MapRing("empty", OUT, 0), 0),
            prctl(),
            *results_are(ENOSPC),
        ),
        clause(
            "PEA-25",
            "bpf_perf_event_output returns -EOPNOTSUPP while the event is disabled",
            *stored(OpenOutputEvent("out", disabled=True)),
            *attached(layout, data(), put(), keep(0)),
            prctl(),
            *results_are(EOPNOTSUPP),
            expect(Enable(OUT), 0),
            prctl(),
            *results_are(0),
            expect(Disable(OUT), 0),
            prctl(),
            *results_are(EOPNOTSUPP),
            expect(ReadRing(RING), records(1)),
        ),
        clause(
            "PEA-25.task",
            "bpf_perf_event_output returns -EOPNOTSUPP for an event of another task",
            *stored(OpenOutputEvent("out", pid=1)),
            *attached(layout, data(), put(), keep(0)),
            prctl(),
            *results_are(EOPNOTSUPP),
            expect(ReadRing(RING), records(0)),
        ),
        clause(
            "PEA-26",
            "bpf_perf_event_output returns -EINVAL for an event of another type, such as that of a kprobe",
            EVENTS,
            *attached(layout, data(), put(), keep(0)),
            expect(UpdateElement(MAP, u32(0), EVENT), 0),
            prctl(),
            *results_are(EINVAL),
        ),
    )
