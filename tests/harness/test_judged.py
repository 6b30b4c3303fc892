# SPDX-License-Identifier: MIT
"""Who had a word for the operations of a script, and what failed though nobody said that it should."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.core_scripts import core_scripts
from harness.core_scripts.parts import array, prctl, probed
from harness.isa.assemble import exit_, program
from harness.judged import Judged, judged, unexpected
from harness.model.environment import Environment
from harness.model.eras import ERAS
from harness.model.executor import ModelExecutor
from harness.run.needs import unmet
from harness.script.expectation import SUCCESS, Expectation
from harness.script.operations import Close, RunThreads, Script, Thread, Trigger
from harness.script.outcome import Either, Outcome, Unpredicted

OK, OPEN = Outcome(value=0), Unpredicted("no rule")
CLOSED, BAD = Close(-1), Outcome(errno="EBADF")
TOGETHER = RunThreads((Thread(0, (CLOSED, CLOSED)), Thread(1, (prctl(),))))


def test_operations_are_counted_by_who_has_a_word_for_them() -> None:
    script = Script("s", "", (CLOSED,) * 5, (SUCCESS, None, SUCCESS, None, None))
    assert judged(script, [OK, OK, OPEN, OPEN, Either((OK, BAD))]) == Judged(both=1, model=2, clause=1, none=1)
    assert judged(script, [OK]) == Judged(both=1)  # the rest comes behind a divergence
    assert judged(Script("s", "", (CLOSED, CLOSED)), [OK, OPEN]) == Judged(model=1, none=1)


def test_threads_are_predicted_when_all_of_them_is() -> None:
    script = Script("s", "", (TOGETHER,))
    assert judged(script, [Outcome(value=0, threads=((OK, OK), (OK,)))]) == Judged(model=1)
    assert judged(script, [Outcome(value=0, threads=((OK, OK), (OPEN,)))]) == Judged(none=1)


def failed(script: Script, outcomes: Sequence[Outcome]) -> list[tuple[int, str]]:
    return [(index, outcome.errno or "") for index, _, outcome in unexpected(script, outcomes)]


def test_a_program_that_is_refused_is_told_of_and_what_comes_of_it() -> None:
    """Attached and fired, nothing expected of it: this passed, since the model foretold all of it."""
    script = Script("s", "", (array("hits"), *probed(program(exit_())), prctl()))
    model = ModelExecutor(Environment(era="6.1", arch="x86_64", version_code=0x60100, engine="jit"))
    predictions = model.run(script)
    assert judged(script, predictions) == Judged(model=6)
    outcomes = [OK, Outcome(errno="EACCES"), OK, OK, BAD, Outcome(errno="EINVAL")]
    assert [one.errno for one in predictions if isinstance(one, Outcome)] == [one.errno for one in outcomes]
    assert failed(script, outcomes) == [(1, "EACCES"), (4, "EBADF")]


def test_who_expects_a_failure_or_leaves_it_open_on_purpose_is_not_told_of_it() -> None:
    script = Script("s", "", (CLOSED, CLOSED), (Expectation("EBADF"), None))
    assert failed(script, [BAD, BAD]) == [(1, "EBADF")]
    assert failed(script, [BAD, OK]) == []


def test_a_trigger_that_always_fails_is_meant_to() -> None:
    script = Script("s", "", (prctl(), Trigger("read_null", (0, 0))))
    assert failed(script, [Outcome(errno="EINVAL"), Outcome(errno="EINVAL")]) == [(1, "EINVAL")]
    assert failed(script, [Outcome(errno="EPERM"), OK]) == [(0, "EPERM")]


def test_threads_are_looked_into_unless_they_are_expected_to_do_something() -> None:
    said = Outcome(value=0, threads=((OK, BAD), (Outcome(errno="EINVAL"),)))
    assert failed(Script("s", "", (TOGETHER,)), [said]) == [(0, "EBADF")]
    wanted = Expectation(threads=((SUCCESS, None), (None,)))
    assert failed(Script("s", "", (TOGETHER,), (wanted,)), [said]) == []


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_what_we_bring_along_says_of_every_failure_that_it_is_meant(arch: str, era: str) -> None:
    lane = Environment(era=era, arch=arch, version_code=0x40100, engine="interp", cpus=2)
    model = ModelExecutor(lane)
    for script in core_scripts(arch, era):
        if not unmet(script.needs, lane):
            outcomes = [one if isinstance(one, Outcome) else OK for one in model.run(script)]
            assert list(unexpected(script, outcomes)) == [], script.name
