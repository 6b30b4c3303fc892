# SPDX-License-Identifier: MIT
"""What lockstep does when a program, the machine or the user ends in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.isa import assemble as asm
from harness.isa.assemble import R0, R6
from harness.lane import Engine, Lane
from harness.lockstep import explaining
from harness.lockstep.actual import GuestProgram, compiled
from harness.lockstep.checking import NOTHING, REFUSED, compare
from harness.lockstep.findings import Examined, lines
from harness.lockstep.recording import LockstepLane, Recorded
from harness.lowering.executor import Observed
from harness.lowering.watch import LoadedCode
from harness.script.operations import LoadProgram, Pin, ProgramType, Ref, RunSocketFilter, Script
from harness.script.outcome import Outcome
from harness.session import Listener
from hil.errors import MachineLost
from hil.gdb.table import Symbol, SymbolTable
from hil.recorder import Record
from tests.harness.lockstep.pretended import pretend
from tests.harness.lockstep.test_comparing import LANE

BEGIN = 0xFFFF_8000_0900_0000
PROGRAM = asm.program(asm.mov64_imm(R6, 1), asm.mov64_imm(R0, 0), asm.exit_())
TEXT = (Symbol("_stext", 0xFFFF_FFFF_8100_0000, True), Symbol("_etext", 0xFFFF_FFFF_8200_0000, True))


def loaded(name: str, byte: int) -> GuestProgram:
    """A program whose native code, 16 times a byte for each instruction, is at one place with all others."""
    lines = tuple((number, number) for number in range(3))
    native = tuple(BEGIN + 16 * number for number in range(3))
    code = LoadedCode(name, b"", lines, native, bytes([byte]) * 48, ((BEGIN, 48),))
    return GuestProgram(name, tuple(PROGRAM.instructions), code)


def records(*bytes_there: int) -> Iterator[Record]:
    """A run over the three instructions for each kind of code that was there at its time."""
    for run, byte in enumerate(bytes_there):
        code = int.from_bytes(bytes([byte]) * 8, "little")
        for number in range(3):
            words = (BEGIN + 16 * number, *range(11), code, code, *range(64))
            yield Record(3 * run + number, 0, 0, False, frozenset(), words)


def test_what_runs_where_a_program_was_that_was_unloaded_is_not_taken_for_it() -> None:
    first, second = loaded("first", 0x11), loaded("second", 0x22)
    runs = compiled(records(0x11, 0x22, 0x33), (first, second))
    assert [{step.program.name for step in run.readings[0]} for run in runs] == [{"first"}, {"second"}]
    assert [[step.index for step in run.readings[0]] for run in runs] == [[0, 1, 2]] * 2


def test_a_program_that_is_gone_before_the_kernel_is_asked_for_it_is_not_equal_to_nothing() -> None:
    load = LoadProgram("it", ProgramType.SOCKET_FILTER, PROGRAM)
    script = Script("gone", "", (load, RunSocketFilter(Ref("it"), b"\0" * 64)))
    untold = GuestProgram("it", tuple(PROGRAM.instructions), LoadedCode("it"))
    recorded = Recorded(
        Observed(script, (Outcome(value=0),) * 2, 0.0), (untold,), tuple(compiled(records(0x11), (untold,)))
    )
    found = compare(LANE, script, recorded).examined
    assert found.note == NOTHING or found.difference, found
    assert not found.steps


READ_NOTHING = asm.program(asm.mov64_reg(R0, R6), asm.exit_())
UNREADABLE = LoadProgram("it", ProgramType.SOCKET_FILTER, READ_NOTHING)
BEYOND = LoadProgram("it", ProgramType.SOCKET_FILTER, PROGRAM)


@pytest.mark.parametrize(
    ("load", "outcome", "words", "said"),
    [
        (
            UNREADABLE,
            Outcome(errno="EACCES"),
            {0: "R6 !read_ok"},
            "the kernel refused the program it with EACCES, as the model predicts; "
            "the verifier's last words: R6 !read_ok",
        ),
        (
            BEYOND,
            Outcome(errno="EINVAL"),
            {0: "unknown opcode b7"},
            "the kernel refused the program it with EINVAL, where the model loads it; "
            "the verifier's last words: unknown opcode b7",
        ),
        (BEYOND, Outcome(errno="EPERM"), {}, "the kernel refused the program it with EPERM, where the model loads it"),
        (UNREADABLE, Outcome(value=3), {}, "the kernel loads the program it, where the model predicts EACCES"),
    ],
)
def test_a_program_that_was_refused_is_told_with_the_reason(
    load: LoadProgram, outcome: Outcome, words: dict[int, str], said: str
) -> None:
    """It is neither equal nor nothing, and has the kernel's own words."""
    recorded = Recorded(Observed(Script("refused", "", (load,)), (outcome,), 0.0), (), (), words)
    found = compare(LANE, recorded.seen.script, recorded).examined
    assert found.note == REFUSED and not found.whole
    assert list(lines(found)) == [f"lockstep with the model: not compared: {said}"]


def test_a_program_that_was_refused_is_told_beside_those_that_ran() -> None:
    operations = (
        UNREADABLE,
        LoadProgram("other", ProgramType.SOCKET_FILTER, PROGRAM),
        RunSocketFilter(Ref("other"), b"\0" * 64),
    )
    script = Script("both", "", operations)
    seen = Observed(script, (Outcome(errno="EACCES"), Outcome(value=3), Outcome(value=0)), 0.0)
    recorded = replace(pretend(LANE, script), seen=seen, reasons={0: "R6 !read_ok"})
    found = compare(LANE, script, recorded).examined
    assert not found.note and found.steps == 3
    _, told, *_ = lines(found)
    assert told.startswith("not compared: the kernel refused the program it with EACCES")
    assert told.endswith("the verifier's last words: R6 !read_ok")


class Interrupted:
    """A recorder, and a machine, on which the run of a script ends by an error."""

    def __init__(self, error: BaseException) -> None:
        self.lost = self.failed = 0
        self.interface = SimpleNamespace(current=False)
        self.said: list[str] = []
        self._error = error

    def arm(self, *_: object) -> None:
        pass

    @contextmanager
    def recording(self) -> Iterator[None]:
        self.said.append("recording")
        try:
            yield
        finally:
            self.said.append("recorded")

    def run(self, _: Sequence[Any]) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MachineLost("the machine died")])
def test_a_script_that_is_cut_short_leaves_nothing_switched_on(error: BaseException) -> None:
    ended = Interrupted(error)
    executor = SimpleNamespace(watch=None, run=ended.run, text=lambda _: "")
    session: Any = SimpleNamespace(kernel=SimpleNamespace(era="6.1"), executor=executor, target=ended)
    recorder: Any = ended
    lane = LockstepLane(Lane("debian-12", "x86_64", Engine.JIT), session, recorder, SymbolTable(TEXT))
    script: Any = SimpleNamespace(name="it", needs=(), operations=())
    with pytest.raises(type(error)):
        lane.record(script)
    assert executor.watch is None
    assert ended.said == ["recording", "recorded"]


def test_scripts_behind_the_one_that_killed_the_machine_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    equal, scripts = Examined(runs=1, steps=2), [Script(name, "one", (Pin(0),)) for name in "abc"]

    @contextmanager
    def booted(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(lane=lambda _: None)

    def check(_: object, script: Script) -> Any:
        if script.name == "b":
            raise MachineLost("the guest's kernel panicked")
        return SimpleNamespace(examined=equal)

    monkeypatch.setattr(explaining, "prepare", lambda *_: None)
    monkeypatch.setattr(explaining, "lockstep_machine", booted)
    monkeypatch.setattr(explaining, "self_test", lambda _: None)
    monkeypatch.setattr(explaining, "check", check)
    lane = Lane("debian-12", "x86_64", Engine.JIT)
    found = explaining.explain(lane, scripts, tmp_path, Listener())
    assert found["a"] == equal
    assert [found[name].note for name in "bc"] == ["the guest's kernel panicked"] * 2

    def interrupt(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(explaining, "check", interrupt)
    with pytest.raises(KeyboardInterrupt):
        explaining.explain(lane, scripts, tmp_path, Listener())
