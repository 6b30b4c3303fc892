# SPDX-License-Identifier: MIT
"""No row of `effects` is there for nothing: without any part of one, a small script is predicted otherwise.

In each script one operation is made open, whatever the model would have said of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from harness.abi.capabilities import Capability
from harness.core_scripts.parts import array, count_hits, element, kprobe_program, prctl, probed, read_u64, u32, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    Helper,
    W,
    add64_imm,
    call,
    exit_,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.model.executor import ModelExecutor
from harness.model.interface import effects
from harness.model.interface.effects import Effects
from harness.script import operations as op
from harness.script import processes as child
from harness.script import surroundings as around
from harness.script.operations import Buffer, Operation, Part, Ref, Script
from harness.script.outcome import Outcome, Prediction
from tests.harness.model.running import environment
from tests.harness.model.scripts import EVENT, PRCTL, PROBE
from tests.harness.model.test_effects import operation_types
from tests.harness.model.test_openness import opened

Operations = tuple[Operation, ...]
HITS, READ, OTHER = array("hits"), read_u64("hits"), array("other")
CLOSE, READ_CLOSED = op.Close(Ref("other")), read_u64("other")
"""A number that may be another's by now."""
COUNTING = program(count_hits(), exit_())
COUNTED = (HITS, *probed(COUNTING))
ATTACH = COUNTED[-1]
FILTER, PACKET = (
    op.LoadProgram("filter", op.ProgramType.SOCKET_FILTER, COUNTING),
    op.RunSocketFilter(Ref("filter"), b"x"),
)
REMOVE, COUNT = op.RemoveKprobe(Ref("probe")), op.ReadCount(Ref("event"))
OUTPUT = op.OpenOutputEvent("output", cpu=0)
RING, READ_RING, UNMAP = op.MapRing("ring", Ref("event"), 1), op.ReadRing(Ref("ring")), op.Unmap(Ref("ring"))
LARGER = op.MapRing("larger", Ref("event"), 2)
BUFFERS = op.CreateMap("buffers", op.MapType.RINGBUF, 0, 0, 4096)
BUFFER, READ_BUFFER = op.MapRingBuffer("buffer", Ref("buffers"), 4096), op.ReadRingBuffer(Ref("buffer"))
PROGRAMS = op.CreateMap("programs", op.MapType.PROG_ARRAY, 4, 4, 2)
TAIL_CALL = program(mov64_imm(R3, 0), ld_map(R2, "programs"), call(Helper.TAIL_CALL), mov64_imm(R0, 1), exit_())
CALLS = kprobe_program("program", TAIL_CALL)
PRINTS = program(
    (st(W, R10, -4, 0x0A61), mov64_reg(R1, R10), add64_imm(R1, -4), mov64_imm(R2, 4), call(Helper.TRACE_PRINTK)),
    mov64_imm(R0, 1),
    exit_(),
)
STORES_NAME = program(
    (st(DW, R10, -24, 0), st(DW, R10, -16, 0), mov64_reg(R1, R10), add64_imm(R1, -24), mov64_imm(R2, 16)),
    (call(Helper.GET_CURRENT_COMM), ldx(DW, R6, R10, -24)),
    (element("hits"), stx(DW, R0, 0, R6), mov64_imm(R0, 1), exit_()),
)
NAME = Buffer(b"tracer\0")
NULL_LSEEK = (op.Trigger("null_lseek", (1, 0)), READ)
NAMED = (HITS, *probed(STORES_NAME, symbol="null_lseek"))
LOOKED_FOR = (HITS, *probed(COUNTING, symbol="find_task_by_vpid"))
READ_TRACE = around.ReadTrace()
FORK, EXIT = child.Fork(), child.Exit()
KPTR = "kernel/kptr_restrict"


@dataclass(frozen=True)
class Case:
    """`operation` is open, between what makes it matter and what shows it; also when it was `carried` out."""

    before: Operations
    operation: Operation
    after: Operations
    carried: bool = False


def raw(*parts: tuple[int, int, int | Ref | Buffer]) -> tuple[Part, ...]:
    return tuple(Part(*part) for part in parts)


def makes(before: Operations, operation: Operation, *after: Operation) -> Iterator[Case]:
    """What makes a descriptor: its name, and its number."""
    yield Case(before, operation, after)
    yield Case((OTHER, *before, CLOSE), operation, (READ_CLOSED,))


def cases() -> Iterator[Case]:
    yield from makes((), HITS, READ)
    yield Case((HITS,), op.UpdateElement(Ref("hits"), u32(0), u64(1)), (READ,))
    yield Case((HITS,), op.DeleteElement(Ref("hits"), u32(0)), (READ,))
    yield from makes((HITS,), FILTER, PACKET)
    yield Case((PROGRAMS,), CALLS, (op.LoadProgram("filter", op.ProgramType.SOCKET_FILTER, TAIL_CALL),))
    yield Case((), PROBE, (EVENT,))
    yield Case((PROBE,), REMOVE, (REMOVE,))
    yield Case((), op.FindTracepoint("probe", "sched/sched_switch"), (EVENT,))
    yield from makes((PROBE,), EVENT, COUNT)
    yield Case((PROBE,), EVENT, (REMOVE,))
    yield Case(LOOKED_FOR, op.OpenEvent("other", Ref("probe"), pid=1), (READ,))
    yield from makes((), OUTPUT, op.Enable(Ref("output")))
    yield Case(LOOKED_FOR, op.OpenOutputEvent("output", pid=1), (READ,))
    yield Case((PROBE, EVENT), RING, (READ_RING,))
    yield Case((PROBE, EVENT), RING, (LARGER,), carried=True)
    unprivileged = (
        around.SetSetting("kernel/perf_event_mlock_kb", 0),
        FORK,
        child.LimitLockedMemory(64 << 10),
        child.SetCredentials(1000, frozenset({Capability.PERFMON})),
    )
    second = op.OpenEvent("second", Ref("probe"))
    yield Case((PROBE, EVENT, second, *unprivileged), RING, (op.MapRing("another", Ref("second"), 1), EXIT))
    yield Case((PROBE, EVENT, RING), READ_RING, (READ_RING,))
    yield Case((BUFFERS,), BUFFER, (READ_BUFFER,))
    yield Case(
        (BUFFERS,), BUFFER, (op.MapRingBuffer("another", Ref("buffers"), 4096), op.ReadRingBuffer(Ref("another")))
    )
    yield Case((BUFFERS, BUFFER), READ_BUFFER, (READ_BUFFER,))
    yield Case((PROBE, EVENT), op.MapPages(Ref("event"), 0, 2), (LARGER,))
    yield Case(COUNTED[:-1], ATTACH, (prctl(), READ))
    yield Case((PROBE, EVENT), op.Enable(Ref("event")), (prctl(), COUNT))
    yield Case((PROBE, EVENT), op.Disable(Ref("event")), (prctl(), COUNT))
    yield Case(COUNTED, op.Trigger(PRCTL, (15, NAME)), (READ,))
    yield Case((*NAMED, FORK, child.SetName(b"x")), op.Trigger(PRCTL, (15, NAME)), (*NULL_LSEEK, EXIT))
    yield Case((HITS,), op.Trigger(PRCTL, (22,)), (READ,))
    yield from makes((), op.OpenFile("file"), op.Close(Ref("file")))
    yield Case((), op.OpenFile("file", "/tracing/trace"), (around.ClearTrace(), READ_TRACE))
    yield from makes((HITS,), op.Duplicate("copy", Ref("hits")), read_u64("copy"))
    yield Case((HITS,), op.Duplicate("copy", Ref("hits")), (READ,))
    yield Case((HITS,), op.Close(Ref("hits")), (READ,))
    yield Case((PROBE, EVENT), op.Close(Ref("event")), (REMOVE,))
    yield Case((HITS,), op.Close(Ref("hits")), (op.Close(Ref("hits")),))
    yield Case((PROBE, EVENT, RING), UNMAP, (UNMAP,))
    yield Case((PROBE, EVENT, RING), UNMAP, (LARGER,))
    yield Case((HITS, FILTER), PACKET, (READ,))
    yield from makes((), op.RawBpf(0, name="hits"), READ)
    yield Case((HITS,), op.RawBpf(2, raw((0, 4, Ref("hits")))), (READ,))
    yield Case((PROBE,), op.RawOpenEvent("event", raw((0, 4, 2), (8, 8, Ref("probe")))), (COUNT,))
    yield Case((PROBE,), op.RawOpenEvent("event", raw((0, 4, 2), (8, 8, Ref("probe")))), (REMOVE,))
    yield Case((OTHER, CLOSE), op.RawOpenEvent("event", raw((0, 4, 1))), (READ_CLOSED,))
    yield Case(LOOKED_FOR, op.RawOpenEvent("event2", raw((0, 4, 1)), pid=1), (READ,))
    yield Case((PROBE, EVENT), op.Ioctl(Ref("event"), 0x2403), (COUNT,))
    yield Case((PROBE,), op.WriteKprobeEvents("-:{}probe"), (REMOVE,))
    yield Case((), around.SetSetting(KPTR, 1), (around.ReadSetting(KPTR),))
    yield Case((), around.ReadClock("first"), (around.ReadClock("second"),), carried=True)
    printed = (around.ClearTrace(), *probed(PRINTS, symbol="null_lseek"), NULL_LSEEK[0])
    yield Case(printed, around.ClearTrace(), (READ_TRACE,))
    yield Case((), FORK, (EXIT,), carried=True)
    yield Case((FORK,), EXIT, (HITS,), carried=True)
    yield Case((FORK,), child.SetCredentials(1000), (PROBE, EXIT))
    yield Case((*COUNTED, FORK), child.SetCredentials(1000), (EXIT, READ))
    yield Case((FORK,), child.Execute("a line"), (EXIT,))
    yield Case((PROBE, EVENT, *unprivileged[:2]), child.LimitLockedMemory(0), (unprivileged[3], RING, EXIT))
    yield Case((*NAMED, FORK, child.SetName(b"x")), child.SetName(b"y"), (*NULL_LSEEK, EXIT))
    yield Case((*COUNTED, FORK), child.SetName(b"x"), (EXIT, READ))
    yield Case((PROBE,), child.GetProcessId("process"), (op.Close(Ref("process")),))
    yield Case((HITS,), op.Pin(0), (READ,))
    yield Case((HITS,), op.RunThreads((op.Thread(77, (READ,)),)), (READ,))


TOUCH_NOTHING = {
    op.LookupElement: "reads the value of an element",
    op.GetNextKey: "reads a key",
    op.ReadElements: "reads keys and values",
    op.ReadCount: "reads a count",
    op.ReadProfile: "reads counts",
    op.ReadRuns: "reads counts",
    around.ReadSetting: "reads a file below /proc/sys",
    around.ReadTrace: "opens the trace to read it, and a trace that is read so is as it was",
}


def shown(prediction: Prediction) -> object:
    """Why something is open is no matter."""
    return prediction if isinstance(prediction, Outcome) else None


def predictions(case: Case) -> list[object]:
    script = Script("s", "", (*case.before, case.operation, *case.after))
    interfere = opened(len(case.before), case.carried)
    return [shown(one) for one in ModelExecutor(environment("6.1", cpus=2), interfere=interfere).run(script)]


def without(row: Effects) -> Iterator[tuple[str, Effects]]:
    """The row less one of the parts of the state, or of the functions, that it names."""
    for part in row.parts:
        yield part.name, replace(row, parts=row.parts - {part})
    for function in row.functions:
        yield function, replace(row, functions=row.functions - {function})


def test_what_touches_nothing_is_listed_with_its_reason() -> None:
    rows = effects._EFFECTS
    assert {one for one in operation_types() if rows[one] == effects.NOTHING} == set(TOUCH_NOTHING)
    assert {type(case.operation) for case in cases()} == set(operation_types()) - set(TOUCH_NOTHING)


@pytest.mark.parametrize("of", sorted({type(case.operation) for case in cases()}, key=lambda of: of.__name__))
def test_no_part_of_a_row_is_there_for_nothing(of: type, monkeypatch: pytest.MonkeyPatch) -> None:
    missed, caught = set(), set()
    for case in cases():
        if type(case.operation) is of:
            told = predictions(case)
            for name, less in without(effects.effects(case.operation)):
                with monkeypatch.context() as patch:
                    patch.setitem(effects._EFFECTS, of, less)  # type: ignore[arg-type]
                    (missed if predictions(case) == told else caught).add(name)
    assert caught and not missed - caught
