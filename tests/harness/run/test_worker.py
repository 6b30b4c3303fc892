# SPDX-License-Identifier: MIT
"""What a worker makes of results, and of being stopped, without any guest."""

from __future__ import annotations

import _thread
import errno
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.executor import Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run import matrix
from harness.run.artifacts import Unwritten
from harness.run.judging import judge
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.watch import Logged
from harness.run.worker import REPLACEMENTS, Worker
from harness.script.expectation import SUCCESS
from harness.script.needs import Need
from harness.script.operations import Close, Script
from harness.script.outcome import Outcome, Prediction, Unpredicted
from hil.errors import MachineLost
from hil.kernels.kernel import Kernel
from hil.machine import MachineSpec
from hil.machine.postmortem import Death, PostMortem
from tests.fakes import RELEASE, FakeExecutor, FakeTarget, fake_facts, fake_kernel, replace_machines

LANE = Lane("debian-12", "arm64", Engine.JIT)
MODEL = ModelExecutor(Environment(era="6.1", arch="arm64", version_code=0x601C0))
UNPREDICTED = Script("s", "closes what it did not make", (Close(100), Close(101)))
CLOSED = (Outcome(value=0), Outcome(value=0))


def test_a_script_of_which_nothing_is_compared_does_not_agree() -> None:
    result = judge(LANE, Observed(UNPREDICTED, CLOSED, 0.0), MODEL)
    assert result.verdict is Verdict.UNSUPPORTED
    assert result.reason.startswith("nothing of it is predicted")
    assert len(result.unpredicted) == 2


def test_a_clause_alone_is_something_to_compare_with() -> None:
    script = Script("s", "", UNPREDICTED.operations, expected=(None, SUCCESS))
    assert judge(LANE, Observed(script, CLOSED, 0.0), MODEL).verdict is Verdict.AGREE
    refused = (Outcome(value=0), Outcome(errno="EBADF"))
    assert judge(LANE, Observed(script, refused, 0.0), MODEL).verdict is Verdict.DIVERGE


def test_a_disk_that_takes_no_more_is_told_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "qemu.command"))

    monkeypatch.setattr("harness.session.store.get", fails)
    worker = Worker(Share("debian-12", "arm64", (Engine.JIT,), (UNPREDICTED,)), tmp_path, Silent())
    worker.run()
    (result,) = worker.results
    assert result.verdict is Verdict.ERROR
    assert result.reason.startswith(f"{tmp_path}/qemu.command: No space left on device; ")
    assert "name another place" in result.reason


class Silent:
    def state(self, share: Share, text: str) -> None:
        pass

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass


def test_a_worker_that_is_stopped_while_it_fetches_its_kernel_boots_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unwanted(FakeTarget):
        def __enter__(self) -> Unwanted:
            raise AssertionError("a machine was booted")

    worker = Worker(Share("debian-12", "arm64", (Engine.JIT,), (UNPREDICTED,)), tmp_path, Silent())

    def fetch(*_: object, **__: object) -> Kernel:
        worker.stop()
        return fake_kernel()

    replace_machines(monkeypatch, target=Unwanted, kernel=fetch)
    worker.run()
    (result,) = worker.results
    assert (result.verdict, "stopped" in result.reason) == (Verdict.LOST, True), result


def test_an_interrupt_gives_a_verdict_to_what_had_not_begun_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()
    fetched: list[str] = []

    def fetch(name: str, *_: object, **__: object) -> Kernel:
        fetched.append(name)
        _thread.interrupt_main()
        assert stopped.wait(60)
        return fake_kernel(name)

    class Told(Worker):
        def stop(self) -> None:
            super().stop()
            if self.share.kernel == "first":
                stopped.set()

    replace_machines(monkeypatch, kernel=fetch)
    monkeypatch.setattr("harness.run.matrix.Worker", Told)
    shares = [Share(name, "arm64", (Engine.JIT,), (UNPREDICTED,)) for name in ("first", "second")]
    with pytest.raises(KeyboardInterrupt):
        matrix.run(shares, tmp_path, Silent(), jobs=1)
    assert fetched == ["first"]
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["interrupted"]
    results = written["results"]
    assert [(result["lane"], result["verdict"]) for result in results] == [
        ("first/arm64/jit", "lost"),
        ("second/arm64/jit", "lost"),
    ]


class Scene:
    """Machines and their executors: keeps what they were asked for, and loses the machine when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lose_at: int = 0) -> None:
        self.visits: list[tuple[int, str, tuple[str, ...]]] = []
        """Machine, engine, scripts; in order."""
        self.together = 0
        self.machines = 0
        self.came_up: list[int] = []
        """How many visits there were whenever all CPUs were brought up."""
        self.lose_at = lose_at
        replace_machines(monkeypatch, target=self._machine, executor=self._executor)
        monkeypatch.setattr("harness.session.bring_up", lambda _: self.came_up.append(len(self.visits)))

    def _machine(self, spec: MachineSpec) -> FakeTarget:
        self.machines += 1
        return FakeTarget(spec, console_log=spec.console_log, warnings=("the console says so",))

    def _executor(self, target: FakeTarget, guest: Guest, **_: object) -> Actor:
        return Actor(self, target, guest)


class Actor(FakeExecutor):
    """Plays in a scene."""

    def __init__(self, scene: Scene, target: FakeTarget, guest: Guest) -> None:
        super().__init__(target, guest, told=fake_facts(perf_event_paranoid=2))
        self._scene = scene
        self._engine = ""

    def switch(self, engine: Engine) -> None:
        self._engine = str(engine)

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed]:
        scene = self._scene
        scene.together = together
        scene.visits.append((scene.machines, self._engine, tuple(script.name for script in scripts)))
        for script in scripts:
            if len(scene.visits) == scene.lose_at and script is scripts[-1]:
                raise MachineLost("it died")
            # The second visit of the interpreter finds what the first left over.
            left_over = scene.visits[-1][1] == "interp" and len(scene.visits) > 2
            yield Observed(script, (Outcome(errno="EEXIST") if left_over else Outcome(value=0),), 0.1)


EXPECTED = tuple(Script(name, "", (Close(100),), expected=(SUCCESS,)) for name in ("first", "second"))
REPEATED = Share("debian-12", "arm64", tuple(Engine), EXPECTED, rounds=2)


def test_what_a_console_says_and_what_the_kernel_was_told_is_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scene(monkeypatch)
    report = matrix.run((REPEATED,), tmp_path, Silent())
    told = "kernel/perf_event_paranoid is 2, where Debian's 6.1 has 3"
    assert report.machines[0].warnings == (told, "the console says so")


def test_those_who_watch_read_every_phase_and_the_report_has_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scene(monkeypatch)
    told: list[str] = []

    class Watching(Silent):
        def state(self, share: Share, text: str) -> None:
            told.append(text)

    both = replace(EXPECTED[0], needs=frozenset({Need.TWO_CPUS}))
    worker = Worker(replace(REPEATED, scripts=(both,), rounds=1), tmp_path, Watching())
    worker.run()
    assert [line.split(" s: ")[0].rstrip("0123456789.") for line in told] == [
        *("kernel", "guest root", "booting", "booted in "),
        "warning: kernel/perf_event_paranoid is 2, where Debian's 6.1 has ",
        *("running interp on two CPUs", "running jit on two CPUs"),
        *("warning: the console says so", "done"),
    ]
    assert told[3].endswith(f" s: Linux hil {RELEASE} #1 SMP Debian aarch64 GNU/Linux")
    machine, lane = "debian-12/arm64", "debian-12/arm64/interp"
    spent = [(one.place, one.phase) for one in worker.clock.spent]
    assert spent[:4] == [(machine, "kernel"), (machine, "guest root"), (machine, "boot"), (machine, "SSH")]
    assert spent[4:6] == [(lane, "engine"), (machine, "second CPU")]


def test_rounds_are_made_over_all_lanes_on_the_same_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    report = matrix.run((REPEATED,), tmp_path, Silent())
    both = ("first", "second")
    assert scene.visits == [(1, "interp", both), (1, "jit", both), (1, "interp", both), (1, "jit", both)]
    assert [(result.lane.split("/")[2], result.script, result.verdict) for result in report.results] == [
        ("interp", "first", Verdict.FLAKY),
        ("interp", "second", Verdict.FLAKY),
        ("jit", "first", Verdict.AGREE),
        ("jit", "second", Verdict.AGREE),
    ]
    assert {result.rounds for result in report.results} == {2}
    assert report.exit_status == 1


def test_scripts_that_need_two_cpus_come_last_and_the_second_one_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(monkeypatch)
    both = replace(EXPECTED[0], needs=frozenset({Need.TWO_CPUS}))
    Worker(replace(REPEATED, scripts=(both, EXPECTED[1]), rounds=1), tmp_path, Silent()).run()
    assert scene.visits == [(1, engine, (name,)) for name in ("second", "first") for engine in ("interp", "jit")]
    assert scene.came_up == [2, 3]


def test_scripts_share_a_process_as_the_share_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    Worker(replace(REPEATED, together=5), tmp_path, Silent()).run()
    assert scene.together == 5


def test_a_machine_lost_while_no_script_ran_costs_the_next_one_and_another_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(monkeypatch, lose_at=2)
    worker = Worker(REPEATED, tmp_path, Silent())
    worker.run()
    both = ("first", "second")
    assert scene.visits[1:] == [(1, "jit", both), (2, "interp", both), (2, "jit", both)]
    assert len(worker.results) == 8
    (lost,) = (result for result in worker.results if result.verdict is Verdict.LOST)
    assert (lost.lane, lost.script) == ("debian-12/arm64/jit", "second")
    assert "no script under way: it died" in lost.reason


def test_a_share_that_cannot_be_run_has_a_verdict_for_every_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scene(monkeypatch, lose_at=1)
    worker = Worker(replace(REPEATED, scripts=EXPECTED[:1]), tmp_path, Silent())
    worker.run()
    assert [result.verdict for result in worker.results] == [Verdict.LOST] * 4
    assert isinstance(worker.failure, MachineLost)


def test_machines_that_scripts_end_are_no_failure_of_the_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when there have been so many that the rest is given up."""

    class Deadly(FakeExecutor):
        def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Missed]:
            yield Missed(scripts[0], None, "it died")
            raise MachineLost("it died")

    scripts = tuple(replace(EXPECTED[0], name=f"deadly-{number}") for number in range(REPLACEMENTS + 2))
    replace_machines(monkeypatch, executor=lambda target, guest, **_: Deadly(target, guest))
    worker = Worker(Share("debian-12", "arm64", (Engine.JIT,), scripts), tmp_path, Silent())
    worker.run()
    assert [result.verdict for result in worker.results] == [Verdict.LOST] * len(scripts)
    assert worker.failure is None


def test_a_run_folder_has_a_log_of_what_went_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Scene(monkeypatch)
    matrix.run((REPEATED,), tmp_path, Silent())
    lines = (tmp_path / "hil.log").read_text().splitlines()
    assert " harness.run.matrix: hil " in lines[0] and lines[-1].endswith(f" {REPEATED.name}: done")


def test_the_log_has_a_line_for_no_script_that_is_as_predicted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "harness")
    for verdict in Verdict:
        Logged(Silent()).done(LANE, ScriptResult(str(LANE), f"of-{verdict}", verdict, "why"))
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{LANE} of-{verdict}: {verdict}: why" for verdict in Verdict if verdict is not Verdict.AGREE]


def test_a_log_that_cannot_be_written_is_told_as_what_the_run_folder_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scene(monkeypatch)
    (tmp_path / "hil.log").symlink_to("/dev/full")
    with pytest.raises(Unwritten, match=r"lacks hil.log \(.*No space left") as caught:
        matrix.run((REPEATED,), tmp_path, Silent())
    assert caught.value.report.results


def test_a_machine_that_dies_behind_its_last_script_is_a_loss_of_that_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = PostMortem(Death.CRASH, "CPU 0 panics")

    class Dying(FakeExecutor):
        def settle(self) -> None:
            self.target.remains.found = left
            raise MachineLost("the guest panicked", details="Kernel panic")

    replace_machines(monkeypatch, executor=lambda target, guest, **_: Dying(target, guest))
    worker = Worker(replace(REPEATED, rounds=1), tmp_path, Silent())
    worker.run()
    assert [result.verdict for result in worker.results] == [Verdict.AGREE] * 3 + [Verdict.LOST]
    assert worker.results[-1].reason == "behind it: the guest panicked"
    assert [result.postmortem for result in worker.results] == [None] * 3 + [left]
    assert worker.report.postmortem == left
    assert worker.report.trouble == "the guest panicked\nKernel panic"


def test_a_loss_that_is_known_is_not_told_again_behind_the_last_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model knows the fault that the guest died of; `after` hears of it all the same."""
    deadly = Unpredicted("a fault of the kernel", deadly=True)

    class Dead(FakeExecutor):
        def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
            left = PostMortem(Death.CRASH, "CPU 0 panics")
            yield from (Missed(script, 1, "the guest panicked", postmortem=left) for script in scripts)

        def settle(self) -> None:
            raise MachineLost("the guest panicked")

    class Knowing(ModelExecutor):
        def run(self, script: Script, end: int | None = None, seen: Sequence[Outcome] = ()) -> list[Prediction]:
            return [deadly]

    heard: list[object] = []
    replace_machines(monkeypatch, executor=lambda target, guest, **_: Dead(target, guest))
    share = Share("debian-12", "arm64", (Engine.JIT,), (UNPREDICTED,))
    worker = Worker(share, tmp_path, Silent(), Knowing, after=lambda *told: heard.append(told[0]))
    worker.run()
    (result,) = worker.results
    assert result.verdict is Verdict.KNOWN, result
    assert result.postmortem == PostMortem(Death.CRASH, "CPU 0 panics"), "a known death is told as well"
    assert heard == [LANE]


def test_a_script_that_kills_its_machine_costs_itself_and_not_those_it_shared_a_process_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever shares its process, verdicts are those of scripts that run alone."""

    class Deadly(FakeExecutor):
        """Dies of the script called deadly."""

        def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
            for start in range(0, len(scripts), together):
                group = scripts[start : start + together]
                if any(script.name == "deadly" for script in group):
                    yield from (Missed(script, None, "it died", shared=len(group) > 1) for script in group)
                    raise MachineLost("it died")
                yield from (Observed(script, (Outcome(value=0),), 0.1) for script in group)

    scripts = tuple(replace(EXPECTED[0], name=name) for name in ("a", "b", "deadly", "c", "d", "e"))
    replace_machines(monkeypatch, executor=lambda target, guest, **_: Deadly(target, guest))
    found = {}
    for together in (1, 2, 4, 6):
        share = Share("debian-12", "arm64", (Engine.JIT,), scripts, together=together)
        worker = Worker(share, tmp_path / str(together), Silent())
        worker.run()
        found[together] = {result.script: result.verdict for result in worker.results}
        assert len(worker.results) == len(scripts)
        assert len(worker.reports) == (2 if together == 1 else 3)
    assert all(one == found[1] for one in found.values()), found
    assert [name for name, verdict in found[1].items() if verdict is Verdict.LOST] == ["deadly"]
