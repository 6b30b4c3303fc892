# SPDX-License-Identifier: MIT
"""Maps of type RINGBUF, since 5.8: how they are made and mapped, what programs append, what consumers find there.

kernel/bpf/ringbuf.c; records that programs reserve are in `harness.clauses.records`.
"""

from __future__ import annotations

import errno
from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, NOT_SUPPORTED, absent_in_4_1
from harness.clauses.results import DATA, attached, data, keep, results_are
from harness.core_scripts.parts import prctl
from harness.isa.assemble import (
    R1,
    R2,
    R3,
    R4,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    ld_map,
    mov64_imm,
    mov64_reg,
)
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect, found, records
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    GetNextKey,
    LookupElement,
    MapPages,
    MapRing,
    MapRingBuffer,
    MapType,
    Operation,
    ReadRingBuffer,
    Ref,
    Unmap,
    UpdateElement,
)
from harness.script.outcome import Message

PAGE = 4096
RING = CreateMap("map", MapType.RINGBUF, 0, 0, PAGE)
BUFFER = Ref("buffer")
MAPPED: tuple[Operation | Step, ...] = (RING, expect(MapRingBuffer("buffer", MAP, PAGE), 0))
RECORD = 24
"""The bytes that a record with 16 bytes of data takes."""
ROOM = (PAGE - 1) // RECORD
EAGAIN, EINVAL = -errno.EAGAIN, -errno.EINVAL


def clauses(layout: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_before(), _creation(), _elements(), _mapping(), _output(layout)))


def since_5_10(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    """Makes a clause about kernels that have ring buffers; of these, the first era is 5.10."""
    return Clause(id, sentence, steps, since="5.10")


def _before() -> tuple[Clause, ...]:
    sentence = "A RINGBUF map gives EINVAL in 4.1, which does not have the type"
    return absent_in_4_1("RBUF", RING, Helper.RINGBUF_OUTPUT, sentence)


def _creation() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, tuple[int, int, int, int], Said], ...] = (
        ("RBUF-03.page", "A RINGBUF map may have one page of data", (0, 0, PAGE, 0), WORKS),
        ("RBUF-03.pages", "A RINGBUF map may have 16 pages of data", (0, 0, 16 * PAGE, 0), WORKS),
        ("RBUF-03.none", "A RINGBUF map of 0 bytes gives EINVAL", (0, 0, 0, 0), "EINVAL"),
        ("RBUF-03.small", "A RINGBUF map of half a page gives EINVAL", (0, 0, PAGE // 2, 0), "EINVAL"),
        (
            "RBUF-03.odd",
            "A RINGBUF map of three pages, which is no power of two, gives EINVAL",
            (0, 0, 3 * PAGE, 0),
            "EINVAL",
        ),
        ("RBUF-04.key", "A RINGBUF map with a key size gives EINVAL", (4, 0, PAGE, 0), "EINVAL"),
        ("RBUF-04.value", "A RINGBUF map with a value size gives EINVAL", (0, 8, PAGE, 0), "EINVAL"),
        ("RBUF-05.prealloc", "A RINGBUF map with BPF_F_NO_PREALLOC gives EINVAL", (0, 0, PAGE, 1), "EINVAL"),
        ("RBUF-05.read-only", "A RINGBUF map with BPF_F_RDONLY gives EINVAL", (0, 0, PAGE, 8), "EINVAL"),
        ("RBUF-05.node", "A RINGBUF map may be made with BPF_F_NUMA_NODE", (0, 0, PAGE, 4), WORKS),
    )
    made = (
        Clause(id, sentence, (expect(CreateMap("map", MapType.RINGBUF, *sizes), said),), NOTHING, "5.10")
        for id, sentence, sizes, said in rows
    )
    overwriting = CreateMap("map", MapType.RINGBUF, 0, 0, PAGE, 1 << 19)
    return (
        *made,
        Clause(
            "RBUF-05.overwrite",
            "A RINGBUF map with flag 1 << 19, BPF_F_RB_OVERWRITE since 6.19, gives EINVAL",
            (expect(overwriting, "EINVAL"),),
            NOTHING,
            "5.10",
            "6.12",
        ),
    )


def _elements() -> tuple[Clause, ...]:
    return (
        Clause(
            "RBUF-06",
            "The commands for elements on a RINGBUF map give ENOTSUPP",
            (
                RING,
                expect(LookupElement(MAP, None, 8), NOT_SUPPORTED),
                expect(UpdateElement(MAP, None, bytes(8)), NOT_SUPPORTED),
                expect(DeleteElement(MAP, None), NOT_SUPPORTED),
                expect(GetNextKey(MAP, None, 8), NOT_SUPPORTED),
            ),
            NOTHING,
            "5.10",
        ),
        Clause(
            "RBUF-07",
            "The commands for elements on a RINGBUF map give EINVAL if there is a key",
            (
                RING,
                expect(LookupElement(MAP, b"", 8), "EINVAL"),
                expect(UpdateElement(MAP, b"", bytes(8)), "EINVAL"),
                expect(DeleteElement(MAP, b""), "EINVAL"),
                expect(GetNextKey(MAP, b"", 8), "EINVAL"),
                expect(UpdateElement(MAP, None, bytes(8), 4), "EINVAL"),
            ),
            NOTHING,
            "5.10",
        ),
    )


def _mapping() -> tuple[Clause, ...]:
    def mapping(id: str, sentence: str, *steps: Operation | Step) -> Clause:
        return Clause(id, sentence, (RING, *steps), NOTHING, "5.10")

    return (
        mapping(
            "RBUF-10",
            "The pages of a RINGBUF map can be mapped to be read: both positions, and the data twice in a row",
            *(expect(MapPages(MAP, first, 4 - first), 0) for first in range(4)),
            *(expect(MapPages(MAP, first, 5 - first), "EINVAL") for first in range(5)),
        ),
        mapping(
            "RBUF-11",
            "Only the consumer's page of a RINGBUF map can be mapped to be written to; others give EPERM",
            expect(MapPages(MAP, 0, 1, writable=True), 0),
            expect(MapPages(MAP, 0, 2, writable=True), "EPERM"),
            *(expect(MapPages(MAP, first, 1, writable=True), "EPERM") for first in range(1, 6)),
            expect(MapRing("ring", MAP, 1), "EPERM"),
        ),
        mapping(
            "RBUF-12",
            "A mapping keeps a RINGBUF map when its descriptor is closed",
            expect(MapRingBuffer("buffer", MAP, PAGE), 0),
            expect(Close(MAP), 0),
            expect(ReadRingBuffer(BUFFER), records(0)),
            expect(Unmap(BUFFER), 0),
        ),
        mapping(
            "RBUF-13",
            "Mapping more data than a RINGBUF map has gives EINVAL",
            expect(MapRingBuffer("b", MAP, 2 * PAGE), "EINVAL"),
        ),
    )


def put(size: int, flags: int = 0) -> Piece:
    """Calls bpf_ringbuf_output() with the data on the stack."""
    arguments = (mov64_reg(R2, R10), add64_imm(R2, -24), mov64_imm(R3, size), mov64_imm(R4, flags))
    return (ld_map(R1, "map"), arguments, call(Helper.RINGBUF_OUTPUT))


def ask(what: int) -> Piece:
    """Calls bpf_ringbuf_query()."""
    return (ld_map(R1, "map"), mov64_imm(R2, what), call(Helper.RINGBUF_QUERY))


def _output(layout: PtRegs) -> tuple[Clause, ...]:
    whole, half = Message(DATA, 3), Message(DATA[:8], 3)
    return (
        since_5_10(
            "RBUF-20",
            "bpf_ringbuf_output writes records of the length it is given, each at a multiple of eight bytes",
            *MAPPED,
            *attached(
                layout,
                data(),
                put(16),
                keep(0),
                put(5),
                keep(1),
                put(0),
                keep(2),
                put(8),
                keep(3),
                ask(3),
                keep(4),
            ),
            prctl(),
            *results_are(0, 0, 0, 0, 24 + 16 + 8 + 16),
            expect(ReadRingBuffer(BUFFER), found(whole, Message(DATA[:5], 3), Message(b"", 3), half)),
            expect(ReadRingBuffer(BUFFER), found()),
        ),
        since_5_10(
            "RBUF-21",
            "bpf_ringbuf_output takes BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP, and returns -EINVAL for other flags",
            *MAPPED,
            *attached(layout, data(), *(piece for flags in range(5) for piece in (put(16, flags), keep(flags)))),
            prctl(),
            *results_are(0, 0, 0, 0, EINVAL),
            expect(ReadRingBuffer(BUFFER), found(whole, whole, whole, whole)),
        ),
        since_5_10(
            "RBUF-22",
            "bpf_ringbuf_output returns -EAGAIN where a record would leave no byte free, until records are consumed",
            *MAPPED,
            *attached(layout, data(), put(16), keep(0), ask(0), keep(1)),
            prctl(times=ROOM),
            *results_are(0, ROOM * RECORD),
            prctl(),
            *results_are(EAGAIN, ROOM * RECORD),
            expect(ReadRingBuffer(BUFFER), records(ROOM)),
            prctl(),
            *results_are(0, RECORD),
            expect(ReadRingBuffer(BUFFER), found(whole)),
        ),
        since_5_10(
            "RBUF-23",
            "Records of a ring buffer go on at the beginning of the data when they reach its end",
            *MAPPED,
            *attached(layout, data(), put(16)),
            prctl(times=ROOM),
            expect(ReadRingBuffer(BUFFER), records(ROOM)),
            prctl(times=3),
            expect(ReadRingBuffer(BUFFER), found(whole, whole, whole)),
        ),
        since_5_10(
            "RBUF-24",
            "A record's header tells on which page of the ring buffer it lies",
            CreateMap("map", MapType.RINGBUF, 0, 0, 2 * PAGE),
            expect(MapRingBuffer("buffer", MAP, 2 * PAGE), 0),
            *attached(layout, data(), put(16)),
            prctl(times=PAGE // RECORD + 1),
            expect(ReadRingBuffer(BUFFER), records(PAGE // RECORD + 1)),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(DATA, 4))),
        ),
        since_5_10(
            "RBUF-25",
            "bpf_ringbuf_query returns what is not consumed, the size and both positions, and 0 for all "
            "other questions",
            *MAPPED,
            *attached(layout, data(), put(16), *(piece for what in range(6) for piece in (ask(what), keep(what)))),
            prctl(),
            *results_are(RECORD, PAGE, 0, RECORD, 0, 0),
            expect(ReadRingBuffer(BUFFER), records(1)),
            prctl(),
            *results_are(RECORD, PAGE, RECORD, 2 * RECORD, 0, 0),
        ),
    )
