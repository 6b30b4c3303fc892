# SPDX-License-Identifier: MIT
"""What becomes of scripts when their process, their agent or the whole target ends; no guest takes part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from harness.lane import Engine
from harness.lowering import executor as module
from harness.lowering.context import Guest
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.script.checks import LONGEST_PROBE
from harness.script.operations import Close, CreateKprobe, RawOpenEvent, RunThreads, Script, Thread
from harness.script.raw import Part
from harness.script.values import Functions
from hil.agent.results import BatchResult, End, Hello, How, Status, StepResult
from hil.agent.steps import Batch
from hil.errors import BenchError, MachineLost
from hil.machine.postmortem import Death, PostMortem
from hil.target import Completed
from tests.fakes import FakeTarget

SCRIPTS = [Script(name, "", (Close(100), Close(101))) for name in "abcde"]
HELLO = Hello(version=1, page_size=65536, cpus=2, pid=1, machine="x86_64", release="6.1.0")


class FakeAgent:
    """An agent's client; its target carries everything out."""

    hello = HELLO

    def __init__(self, target: Target, *, patience: float) -> None:
        self.exchange = target.exchange

    def close(self) -> None:
        pass


class Target(FakeTarget):
    """Its agents end at chosen batches, counted over all agents; and it ends itself behind so many agents."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        dies_at: set[int],
        agents: int = 99,
        late: int = -1,
        unfit: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__()
        self.carried_out = 0
        self.agents = 0
        self._dies_at = dies_at
        self._most = agents
        self._late = late
        self._unfit = unfit
        monkeypatch.setattr(module, "Agent", FakeAgent)

    agent = "/bin/hil-agent"

    def open(self, argv: Sequence[str]) -> Any:
        """What the agent's client is made with; here it is this target."""
        assert argv == [self.agent]
        self.agents += 1
        if self.agents > self._most:
            raise MachineLost("the target ended")
        return self

    def exchange(self, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        for batch in batches:
            number, self.carried_out = self.carried_out, self.carried_out + 1
            if number in self._dies_at:
                raise MachineLost("the agent ended")
            steps = tuple(StepResult(Status.DONE, 0) for _ in batch.steps)
            if number in self._unfit:
                yield BatchResult(End(How.REJECTED, text="no process for the batch"), (None,) * len(batch.steps))
                continue
            late = number == self._late
            yield BatchResult(End(How.DEADLINE, 1, 3, 0.5) if late else End(How.COMPLETED, elapsed=0.5), steps)


def results(target: Any, together: int = 1) -> list[tuple[str, str]]:
    """Names, and what became of each."""
    executor = GuestExecutor(target, Guest("x86_64", 0x60100))
    found: list[tuple[str, str]] = []
    try:
        for seen in executor.run(SCRIPTS, together=together):
            assert isinstance(seen, Observed | Missed)
            found.append((seen.script.name, seen.reason if isinstance(seen, Missed) else "ok"))
    except MachineLost as error:
        found.append(("raised", str(error)))
    return found


@pytest.mark.parametrize("name", ["größe", "test_it[x-y]", "a" * 100])
def test_whatever_a_script_is_called_its_trace_events_have_names_that_kernels_take(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """is_good_name() and MAX_EVENT_NAME_LEN, kernel/trace/trace.h."""
    script = Script(name, "", (CreateKprobe("p" * LONGEST_PROBE, "f"),))
    target = Target(monkeypatch, set())
    executor = GuestExecutor(target, Guest("x86_64", 0x60100))
    image = b"".join(piece.data for piece in executor._lower([script])[0].image)
    (event,) = re.findall(rb"p:hil/(.*) f\n", image)
    assert re.fullmatch(rb"[A-Za-z_][A-Za-z0-9_]{,62}", event)


def test_the_agents_greeting_tells_what_lowering_must_know(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(monkeypatch, set())
    guest = GuestExecutor(target, Guest("x86_64", 0x60100)).guest
    assert (guest.page_size, guest.cpus) == (65536, 2)


def test_an_agent_that_ends_costs_the_script_it_was_at(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(monkeypatch, {1})
    said = "the agent ended"
    assert results(target) == [("a", "ok"), ("b", said), ("c", "ok"), ("d", "ok"), ("e", "ok")]
    assert target.agents == 2


def test_the_guest_begins_before_every_script_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[Sequence[Script]] = []
    lower = module.lower

    def noted(scripts: Sequence[Script], *rest: Any, **options: Any) -> Any:
        lowered.append(scripts)
        return lower(scripts, *rest, **options)

    monkeypatch.setattr(module, "lower", noted)
    seen = GuestExecutor(Target(monkeypatch, set()), Guest("x86_64", 0x60100)).run(SCRIPTS, together=2)
    assert next(seen).script.name == "a" and len(lowered) == 1
    assert [one.script.name for one in seen] == ["b", "c", "d", "e"] and len(lowered) == 3


def test_functions_of_the_kernel_are_looked_up_once_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for an operation of a thread."""
    own, other = (
        RawOpenEvent("e", (Part(8, 8, names), Part(0, 4, names))) for names in map(Functions, ("vfs_*", "*read"))
    )
    scripts = [*SCRIPTS, Script("own", "", (own,)), Script("thread's", "", (RunThreads((Thread(0, (other,)),)),))]
    asked: list[int] = []

    class Lists(Target):
        def run(self, argv: Sequence[str], *rest: Any, **options: Any) -> Completed:
            assert argv[0] == "grep"
            asked.append(self.carried_out)
            return Completed(0, b"vfs_read\n", b"")

    seen = list(GuestExecutor(Lists(monkeypatch, set()), Guest("x86_64", 0x60100)).run(scripts))
    assert len(seen) == len(scripts) and asked == [0, 0]


def test_a_target_that_ends_while_functions_are_looked_up_has_not_ended_by_a_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ends(Target):
        def run(self, argv: Sequence[str], *rest: Any, **options: Any) -> Completed:
            raise MachineLost("the target ended")

    script = Script("last", "", (RawOpenEvent("e", (Part(8, 8, Functions("vfs_*")),)),))
    seen = GuestExecutor(target := Ends(monkeypatch, set()), Guest("x86_64", 0x60100)).run([*SCRIPTS, script])
    with pytest.raises(MachineLost, match="the target ended"):
        next(seen)
    assert not target.carried_out


def test_a_new_agent_is_logged_and_no_script_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    results(Target(monkeypatch, {1}))
    told = [(record.levelname, record.getMessage().partition(" ")[2]) for record in caplog.records]
    begun = ("DEBUG", "agent runs as process 1 of Linux 6.1.0")
    assert told == [begun, ("WARNING", "agent is started again, since it ended: the agent ended"), begun]


def test_what_is_left_of_a_hang_is_that_of_the_script_it_befell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target answers again when another agent runs, and the agent of the last script ends without a hang."""
    left = PostMortem(Death.HANG, "CPU 0 spins in x")

    class Hangs(Target):
        def exchange(self, batches: Iterable[Batch]) -> Iterator[BatchResult]:
            try:
                yield from super().exchange(batches)
            except MachineLost:
                self.remains.found = left if self.agents == 1 else None
                raise

        def open(self, argv: Sequence[str]) -> Any:
            self.remains.answered()
            return super().open(argv)

    executor = GuestExecutor(Hangs(monkeypatch, {1, 4}), Guest("x86_64", 0x60100))
    found = [seen.postmortem if isinstance(seen, Missed) else "ok" for seen in executor.run(SCRIPTS)]
    assert found == ["ok", left, "ok", "ok", None]


def test_agents_may_end_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "the agent ended"
    everything = [(script.name, said) for script in SCRIPTS]
    assert results(Target(monkeypatch, set(range(5)))) == everything


def test_a_target_that_ends_costs_the_script_and_the_rest_is_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "the target ended"  # the better reason
    assert results(Target(monkeypatch, {1}, agents=1)) == [("a", "ok"), ("b", said), ("raised", said)]


def test_a_target_that_ends_at_the_last_script_raises_nothing_since_no_rest_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = results(Target(monkeypatch, {4}, agents=1))
    assert found[-1] == ("e", "the target ended")
    assert len(found) == 5


def test_a_guest_that_can_begin_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a fork bomb: three are lost with the reason, and the rest is for another machine."""
    target = Target(monkeypatch, set(), unfit=frozenset({1, 2, 3, 4}))
    reason = "its process was rejected: no process for the batch"
    last = "the guest executes nothing any more; the last batch was rejected: no process for the batch"
    assert results(target) == [("a", "ok"), *((name, reason) for name in "bcd"), ("raised", last)]


def test_a_guest_that_recovers_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(monkeypatch, set(), unfit=frozenset({0, 1, 3, 4}))
    assert [what for _, what in results(target)].count("ok") == 1
    assert results(target)[-1][0] == "e"


def test_a_group_whose_target_ended_is_for_another_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = GuestExecutor(Target(monkeypatch, {0}, agents=1), Guest("x86_64", 0x60100))
    found: list[Observed | Missed] = []

    def collect() -> None:
        for seen in executor.run(SCRIPTS, together=len(SCRIPTS)):
            found.append(seen)

    with pytest.raises(MachineLost, match="the target ended"):
        collect()
    assert [isinstance(seen, Missed) and seen.shared for seen in found] == [True] * len(SCRIPTS)


def test_a_group_is_lost_together_and_those_behind_it_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = results(Target(monkeypatch, {0}), together=2)
    assert found == [("a", "the agent ended"), ("b", "the agent ended"), ("c", "ok"), ("d", "ok"), ("e", "ok")]


def test_who_stood_behind_a_script_that_did_not_end_is_run_again_after_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = results(Target(monkeypatch, set(), late=0), together=3)
    assert [name for name, _ in found] == ["a", "d", "e", "b", "c"]
    assert "deadline passed" in dict(found)["a"]
    assert [said for name, said in found if name != "a"] == ["ok"] * 4


def test_a_target_that_ends_while_the_engine_is_chosen_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(monkeypatch, {0}, agents=1)
    with pytest.raises(MachineLost, match="the target ended"):
        GuestExecutor(target, Guest("x86_64", 0x60100)).switch(Engine.JIT)


def test_what_the_bench_itself_needs_must_be_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(monkeypatch, set(), late=0)
    with pytest.raises(MachineLost, match="could not do what the bench itself needs"):
        GuestExecutor(target, Guest("x86_64", 0x60100)).switch(Engine.JIT)


def test_another_kernel_than_the_one_that_was_meant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever boots comes by here, so nobody can forget it."""
    target = Target(monkeypatch, set())
    GuestExecutor(target, Guest("x86_64", 0x60100, kernel="debian-12", release="6.1.0"))
    with pytest.raises(BenchError, match=r"debian-12/x86_64 should be 6.1.1, but the kernel that booted is 6.1.0"):
        GuestExecutor(target, Guest("x86_64", 0x60100, kernel="debian-12", release="6.1.1"))
