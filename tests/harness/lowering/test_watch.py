# SPDX-License-Identifier: MIT
"""Which load of a script the kernel told of."""

from __future__ import annotations

from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.lockstep.recording import _programs
from harness.lowering.executor import Observed
from harness.lowering.watch import LoadedCode, loads
from harness.script.operations import Close, LoadProgram, ProgramType, Ref, Script
from harness.script.outcome import Outcome

REFUSED = LoadProgram("same", ProgramType.KPROBE, program(exit_()))
FINE = LoadProgram("same", ProgramType.KPROBE, program(mov64_imm(R0, 0), exit_()))
CLOSED = Close(Ref("same"))
SCRIPT = Script("it", "one", (REFUSED, CLOSED, FINE, CLOSED, FINE))
TOLD = LoadedCode("same", b"first"), LoadedCode("same", b"second")


def outcomes(*errnos: str | None) -> tuple[Outcome, ...]:
    """The outcomes of loads, each with that of the Close behind it."""
    return tuple(Outcome(errno=one, value=None if one else 0) for errno in errnos for one in (errno, None))


def test_a_load_that_failed_does_not_take_the_code_of_a_later_one_of_its_name() -> None:
    found = list(loads(SCRIPT, outcomes("EACCES", None, None), TOLD))
    assert found == [(REFUSED, LoadedCode("same")), (FINE, TOLD[0]), (FINE, TOLD[1])]


def test_one_between_two_that_succeed_takes_none_either() -> None:
    found = list(
        loads(Script("it", "one", (FINE, CLOSED, REFUSED, CLOSED, FINE)), outcomes(None, "EACCES", None), TOLD)
    )
    assert [code for _, code in found] == [TOLD[0], LoadedCode("same"), TOLD[1]]


def test_of_what_the_kernel_did_not_tell_there_is_no_code() -> None:
    assert [code for _, code in loads(SCRIPT, outcomes(None), TOLD)] == [TOLD[0], *[LoadedCode("same")] * 2]


def test_lockstep_reads_records_by_the_code_that_was_loaded() -> None:
    seen = Observed(SCRIPT, outcomes("EACCES", None, None), 0.0)
    found = list(_programs(seen, TOLD, compiled=False))
    assert [one.code.translated for one in found] == [b"", b"first", b"second"]
    assert found[0].instructions == tuple(REFUSED.program.instructions)
