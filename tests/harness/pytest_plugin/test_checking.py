# SPDX-License-Identifier: MIT
"""What a test is told of the guest, with the model in the place of the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.isa.assemble import exit_, program
from harness.judged import Judged
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.executor import Missed, Observed
from harness.objects.reader import read
from harness.pytest_plugin.failures import Diverged, LoadFailed, ScriptLost, UnexpectedFailure, Unjudged
from harness.pytest_plugin.guest import LaneGuest
from harness.pytest_plugin.objects import Loaded
from harness.pytest_plugin.peers import Peers
from harness.script.clause import expect
from harness.script.malformed import Malformed
from harness.script.needs import Need
from harness.script.operations import (
    Close,
    CreateMap,
    LoadProgram,
    MapType,
    Operation,
    ProgramType,
    Script,
    WriteKprobeEvents,
)
from harness.script.outcome import Outcome
from hil.errors import MachineLost
from tests.fakes import FakeExecutor, FakeTarget, fake_executor, fake_kernel, fake_session
from tests.harness.objects.probes import probe

LANE = Lane("debian-12", "arm64", Engine.JIT)
CLOSED = Close(-1)
REFUSED = LoadProgram("short", ProgramType.SOCKET_FILTER, program(exit_()))


class Dead(FakeExecutor):
    """Ends while it is at the second operation."""

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        yield from (Missed(script, 1, "its process was killed") for script in scripts)


class Gone(FakeExecutor):
    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        raise MachineLost("the machine is gone")


def dead(kind: type[FakeExecutor] = Dead) -> FakeExecutor:
    return kind(FakeTarget(), Guest.of(fake_kernel()))


def guest(tmp_path: Path, executor: FakeExecutor, lane: Lane = LANE, peers: Peers | None = None) -> LaneGuest:
    log = tmp_path / "console.log"
    log.write_text("before the test\n")
    return LaneGuest(
        "test_it" if lane == LANE else f"test_it[{lane}]", lane, fake_session(executor, log), peers=peers or Peers()
    )


def ebadf(_: Operation) -> Outcome:
    return Outcome(errno="EBADF")


def refuses(operation: Operation) -> Outcome:
    assert isinstance(operation, LoadProgram)
    return Outcome(errno="EACCES", log="R0 !read_ok\n" if operation.log_level else None)


def test_what_both_say_is_returned(tmp_path: Path) -> None:
    step = expect(CLOSED, "EBADF")
    assert guest(tmp_path, fake_executor(ebadf)).check(step, step) == (Outcome(errno="EBADF"),) * 2


def test_a_divergence_names_operation_prediction_and_observation(tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(lambda _: Outcome(value=0)))
    with pytest.raises(Diverged) as caught:
        ours.check(CLOSED)
    assert str(caught.value) == "operation 0, Close(descriptor=-1): predicted EBADF; saw 0"


def on_lanes(tmp_path: Path, *errnos: str) -> list[str]:
    """Checks what the model does not parse, on the interpreter's lane, the JIT's and so on, where writing it has these
    results; returns the reason of each failure, "" for none."""
    peers, reasons = Peers(), []
    for engine, errno in zip(Engine, errnos, strict=False):

        def carry_out(operation: Operation, errno: str = errno) -> Outcome:
            if isinstance(operation, WriteKprobeEvents) and not errno:
                return Outcome(value=0)
            return Outcome(errno=errno if isinstance(operation, WriteKprobeEvents) else "EBADF")

        ours = guest(tmp_path, fake_executor(carry_out), replace(LANE, engine=engine), peers)
        try:
            ours.check(WriteKprobeEvents("p nonsense"), expect(CLOSED, "EBADF"))
        except Diverged as diverged:
            reasons.append(str(diverged))
        else:
            reasons.append("")
    return reasons


@pytest.mark.filterwarnings("ignore::harness.testing.Unjudged", "ignore::harness.testing.UnexpectedFailure")
def test_lanes_judge_each_other_where_nobody_predicts_anything(tmp_path: Path) -> None:
    assert on_lanes(tmp_path, "EINVAL", "EINVAL") == ["", ""]
    first, second = on_lanes(tmp_path, "EINVAL", "")
    assert not first
    assert re.search(r"arm64/interp: EINVAL.*arm64/jit: .*; nobody predicts it", second), second


def test_a_divergence_names_what_failed_before_it(tmp_path: Path) -> None:
    """A program that was refused, for one, is the cause of what nobody counted."""
    with pytest.raises(Diverged) as caught:
        guest(tmp_path, fake_executor(ebadf)).check(Close(-2), expect(CLOSED, 0))
    first, second = str(caught.value).splitlines()
    assert first.startswith("operation 1, ") and "expected 0; predicted EBADF; saw EBADF" in first
    assert second == "before it, operation 0, Close(descriptor=-2): EBADF, which nobody expected"


def test_an_expectation_tells_who_stands_alone(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"expected 0; predicted EBADF; saw EBADF \(the test differs"):
        guest(tmp_path, fake_executor(ebadf)).check(expect(CLOSED, 0))


def test_run_holds_nothing_against_the_model(tmp_path: Path) -> None:
    assert guest(tmp_path, fake_executor(lambda _: Outcome(value=0))).run(CLOSED) == (Outcome(value=0),)


def test_run_takes_no_expectation_since_it_would_pass_whatever_came(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="`run` compares no expectations; use `check`, or leave `expect` out"):
        guest(tmp_path, fake_executor(ebadf)).run(CLOSED, expect(CLOSED, 0))


def test_a_check_of_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="test_it: there are no operations, so that no result could ever be wrong"):
        guest(tmp_path, fake_executor(ebadf)).check()


def test_what_the_guest_does_not_finish_is_lost_with_the_operation_it_was_at(tmp_path: Path) -> None:
    with pytest.raises(ScriptLost, match=r"its process was killed, at operation 1, CreateMap"):
        guest(tmp_path, dead()).check(CLOSED, CreateMap("map", MapType.ARRAY, 4, 8, 1))


def test_a_script_says_what_it_needs(tmp_path: Path) -> None:
    script = Script("s", "", (CLOSED,), needs=frozenset({Need.INTERPRETER}))
    with pytest.raises(pytest.skip.Exception, match="debian-12/arm64/jit: needs programs that the interpreter runs"):
        guest(tmp_path, fake_executor(ebadf)).check(script)
    assert guest(tmp_path, fake_executor(ebadf)).check(replace(script, needs=frozenset()))


def test_a_script_comes_alone(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a whole script cannot be combined with other steps"):
        guest(tmp_path, fake_executor(ebadf)).check(Script("s", "", (CLOSED,)), CLOSED)


def test_what_nobody_can_predict_is_a_skip(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="debian-12/arm64/jit: nothing of it is predicted: "):
        guest(tmp_path, fake_executor(lambda _: Outcome(value=0))).check(Close(100))


def test_what_passes_unjudged_is_a_warning(tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(ebadf))
    with pytest.warns(Unjudged, match=r"^debian-12/arm64/jit: operation 1, Close\(descriptor=100\): ") as told:
        ours.check(expect(CLOSED, "EBADF"), Close(100), expect(Close(100), "EBADF"))
    assert [one.category for one in told].count(Unjudged) == 1


def test_what_nobody_judged_fails_where_a_judgement_is_required(tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(ebadf))
    ours.require_predicted = True
    for steps in ((expect(CLOSED, "EBADF"), Close(100)), (Close(100),)):
        with pytest.raises(Unjudged, match=r"^debian-12/arm64/jit: operation \d, Close\(descriptor=100\): "):
            ours.check(*steps)
    ours.check(expect(CLOSED, "EBADF"), expect(Close(100), "EBADF"))
    assert ours.judged == Judged(both=2, clause=1, none=2)


def test_what_failed_though_nobody_said_so_is_a_warning(tmp_path: Path) -> None:
    """The model says so, too, and so it passed without a word."""
    ours = guest(tmp_path, fake_executor(ebadf))
    said = r"^debian-12/arm64/jit: operation 1, Close\(descriptor=-1\): EBADF, which nobody expected$"
    with pytest.warns(UnexpectedFailure, match=said) as told:
        ours.check(expect(CLOSED, "EBADF"), CLOSED)
    assert len(told) == 1 and told[0].filename == __file__


def refuses_loads(operation: Operation) -> Outcome:
    return refuses(operation) if isinstance(operation, LoadProgram) else Outcome(errno="EBADF")


def test_a_refused_program_is_a_warning_at_the_tests_line_with_the_verifiers_last_words(tmp_path: Path) -> None:
    with pytest.warns(UnexpectedFailure, match=r"LoadProgram.*: EACCES \(verifier: R0 !read_ok\), which") as told:
        guest(tmp_path, fake_executor(refuses_loads)).check(REFUSED, expect(CLOSED, "EBADF"))
    assert [one.filename for one in told if one.category is UnexpectedFailure] == [__file__]


def load(executor: FakeExecutor, tmp_path: Path, *steps: Operation) -> Loaded:
    return Loaded(guest(tmp_path, executor), "bad.o", read(probe()), (), steps)


@pytest.mark.parametrize("how", ["check", "run"])
def test_an_object_that_the_kernel_refuses_fails_its_test(how: str, tmp_path: Path) -> None:
    """The model says so, too."""
    bad = load(fake_executor(refuses_loads), tmp_path, REFUSED)
    said = r"operation 0, LoadProgram\(.*: EACCES \(verifier: R0 !read_ok\), so that .*`guest\.check\(\*loaded\.expect_"
    with pytest.raises(LoadFailed, match=said):
        getattr(bad, how)(CLOSED)
    bad.guest.check(*bad.expect_load("EACCES"))


def test_an_object_whose_other_steps_fail_fails_its_test_even_where_nothing_is_predicted(tmp_path: Path) -> None:
    for step in (CLOSED, Close(100)):
        with pytest.raises(LoadFailed, match=r"operation 0, Close\(.*: EBADF, so that"):
            load(fake_executor(ebadf), tmp_path, step).check()


def test_of_an_object_that_is_loaded_only_the_tests_own_outcomes_are_returned(tmp_path: Path) -> None:
    ours = load(fake_executor(lambda one: ebadf(one) if one == CLOSED else Outcome(value=0)), tmp_path, Close(0))
    assert ours.run(CLOSED) == (Outcome(errno="EBADF"),)
    with pytest.warns(Unjudged) as told:
        assert ours.check(expect(CLOSED, "EBADF")) == (Outcome(errno="EBADF"),)
    assert {one.filename for one in told} == {__file__}


def test_the_report_shows_what_the_console_printed_during_the_test(tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(ebadf))
    ((title, text),) = ours.sections(failed=True)
    assert (title, text) == (f"console of {LANE}, {tmp_path / 'console.log'}", "(nothing was printed during the test)")
    with (tmp_path / "console.log").open("a") as log:
        log.write("during the test\r\nand \ufffd\n")
    assert [text for _, text in ours.sections(failed=False)] == ["during the test\nand \ufffd"]


@pytest.mark.parametrize("executor", [fake_executor(lambda _: Outcome(value=0)), dead()])
def test_a_failed_test_tells_its_script_and_programs(executor: FakeExecutor, tmp_path: Path) -> None:
    ours = guest(tmp_path, executor)
    with pytest.raises((Diverged, ScriptLost)):
        ours.check(REFUSED, CLOSED)
    (told,) = [text.splitlines() for title, text in ours.sections(failed=True) if title == f"script on {LANE}"]
    assert told[0].startswith(("operation 0: LoadProgram(name='short'", "its process was killed"))
    assert "           0: (95) exit" in told and "           9500000000000000" in told
    assert any(line.startswith("->  ") for line in told)
    assert len(list(ours.sections(failed=False))) == 1


def test_a_failed_test_tells_why_programs_were_refused(tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(refuses))
    assert ours.run(REFUSED)[0].log is None
    assert list(ours.sections(failed=True))[2:] == [(f"verifier's log of 'short' on {LANE}", "R0 !read_ok\n")]
    assert len(list(ours.sections(failed=False))) == 1


def test_a_test_that_fails_by_an_assert_of_its_own_shows_its_operations_with_outcomes(tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(ebadf))
    ours.run(CLOSED, Close(100))
    shown = "   0  Close(descriptor=-1): EBADF\n   1  Close(descriptor=100): EBADF"
    assert list(ours.sections(failed=True))[1:] == [(f"last operations on {LANE}", shown)]
    assert len(list(ours.sections(failed=False))) == 1


@pytest.mark.parametrize("kind", [Dead, Gone])
def test_a_guest_that_is_gone_has_no_log_to_give(kind: type[FakeExecutor], tmp_path: Path) -> None:
    ours = guest(tmp_path, fake_executor(refuses))
    ours.run(REFUSED)
    ours.session = fake_session(dead(kind), tmp_path / "console.log")
    titles = [title.partition(" on ")[0] for title, _ in ours.sections(failed=True)]
    assert titles[1:] == ["last operations"]
