# SPDX-License-Identifier: MIT
"""Sessions on restored machines: when one is restored, what becomes of one that is not, and that nobody can tell."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core_scripts import core_scripts
from harness.lane import Engine, Lane
from harness.lowering.waking import waking
from harness.model.executor import ModelExecutor
from harness.run.judging import predict, verdict
from harness.session import Bootable, LineListener, Session, lane_session, prepare
from hil import cache
from hil.arch import architecture
from hil.errors import BenchError, HilError, MachineLost
from hil.kernels import store
from hil.machine import Machine, MachineSpec, MachineStopped, states
from hil.machine.monitor import NoAnswer
from hil.target import read_file
from tests.fakes import FakeExecutor, FakeTarget, replace_machines

KERNEL = "debian-12", "arm64"
STATE = Path("/cache/states/one")


class Warm:
    """Fake machines: `life` is what was started ("boot" or "restore"), kept and discarded; `broken` is raised by those
    that are restored."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, broken: Exception | None = None) -> None:
        self.life: list[str] = []

        def target(spec: MachineSpec) -> FakeTarget:
            self.life.append("restore" if spec.state else "boot")
            if spec.state and broken:
                raise broken
            return FakeTarget(spec)

        replace_machines(
            monkeypatch, target=target, executor=lambda target, guest, **_: Woken(target, guest, life=self.life)
        )
        monkeypatch.setattr(states, "find", lambda _: STATE)
        monkeypatch.setattr(states, "keep", lambda *_, **__: self.life.append("keep"))
        monkeypatch.setattr(states, "discard", lambda _: self.life.append("discard"))
        monkeypatch.delenv(states.COLD, raising=False)
        bootable = prepare(*KERNEL)
        self.bootable = replace(bootable, root=replace(bootable.root, connects=True))


class Woken(FakeExecutor):
    def __init__(self, target: Any, guest: Any, *, life: list[str]) -> None:
        super().__init__(target, guest)
        self._life = life

    def wake(self) -> None:
        self._life.append("wake")


def test_a_machine_with_a_state_is_restored_and_never_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    warm = Warm(monkeypatch)
    with lane_session(warm.bootable, tmp_path) as session:
        assert session.restored
    assert warm.life == ["restore", "wake"]


def test_one_with_a_plugin_is_restored_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    warm = Warm(monkeypatch)
    with lane_session(warm.bootable, tmp_path, plugin="recorder") as session:
        assert session.restored


def test_one_without_is_booted_and_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    warm = Warm(monkeypatch)
    monkeypatch.setattr(states, "find", lambda _: None)
    with lane_session(warm.bootable, tmp_path) as session:
        assert not session.restored
    assert warm.life == ["boot", "keep"]


@pytest.mark.parametrize("options", [{"cold": True}, {"for_gdb": True}])
def test_some_are_always_booted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any]) -> None:
    warm = Warm(monkeypatch)
    with lane_session(warm.bootable, tmp_path, **options):
        assert warm.life == ["boot"]


def test_so_are_those_with_disks_and_all_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    warm = Warm(monkeypatch)
    with lane_session(replace(warm.bootable, disks={"root": tmp_path}), tmp_path):
        pass
    monkeypatch.setenv(states.COLD, "1")
    with lane_session(warm.bootable, tmp_path):
        pass
    assert warm.life == ["boot", "boot"]


def test_so_are_those_of_an_architecture_that_cannot_be_restored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As riscv64, of which QEMU does not save the CPUs' timers: a guest that was idle would never wake."""
    warm = Warm(monkeypatch)
    assert architecture("riscv64").always_booted and not warm.bootable.kernel.arch.always_booted
    arch = replace(warm.bootable.kernel.arch, always_booted="QEMU does not save its timers")
    with lane_session(replace(warm.bootable, kernel=replace(warm.bootable.kernel, arch=arch)), tmp_path) as session:
        assert not session.restored
    assert warm.life == ["boot"], "neither restored nor saved"


@pytest.mark.parametrize(
    "trouble", [MachineLost("QEMU ended with status 1"), cache.Damaged("state is damaged"), cache.Unusable("state", 5)]
)
def test_a_state_that_does_not_work_is_told_removed_and_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Exception
) -> None:
    warm, told = Warm(monkeypatch, trouble), list[str]()
    with lane_session(warm.bootable, tmp_path, listener=LineListener(told.append)) as session:
        assert not session.restored
    assert warm.life == ["restore", "discard", "boot", "keep"]
    assert told[0] == f"warning: booted anew, since the saved machine one could not be used: {trouble}"


def test_a_state_that_qemu_did_not_look_at_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = MachineLost("QEMU ended with status 1")
    broken.__cause__ = NoAnswer("QMP qmp_capabilities: it is gone")
    warm, told = Warm(monkeypatch, broken), list[str]()
    with lane_session(warm.bootable, tmp_path, listener=LineListener(told.append)) as session:
        assert not session.restored
    assert warm.life == ["restore", "boot", "keep"]
    assert told[0] == f"warning: booted anew, since the saved machine one could not be used: {broken}"


def test_a_machine_that_the_bench_stops_says_nothing_of_its_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = MachineLost("the agent's stream ended")
    broken.__cause__ = MachineStopped("the bench stopped the machine")
    warm = Warm(monkeypatch, broken)
    with pytest.raises(MachineLost, match="stream ended"):
        lane_session(warm.bootable, tmp_path).__enter__()
    assert warm.life == ["restore"]


@pytest.mark.parametrize("at", ["a file", "QMP"])
def test_a_process_without_descriptors_says_nothing_of_a_state(
    at: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "console").touch()
    exhausted = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    broken: HilError = MachineLost("QMP ended")
    broken.__cause__ = exhausted
    if at == "a file":
        with pytest.raises(BenchError) as caught, cache.reading(tmp_path / "console"):
            raise exhausted
        broken = caught.value
    warm = Warm(monkeypatch, broken)
    with pytest.raises(HilError) as met:
        lane_session(warm.bootable, tmp_path).__enter__()
    assert met.value is broken
    assert warm.life == ["restore"]


# --- Real machines


@pytest.fixture(scope="module", params=["debian-12/arm64", "linux-4.1/x86_64"])
def lane(request: pytest.FixtureRequest) -> Lane:
    kernel, arch = request.param.split("/")
    return Lane(kernel, arch, Engine.INTERP)


@pytest.fixture(scope="module")
def bootable(lane: Lane) -> Bootable:
    try:
        store.get(lane.kernel, architecture(lane.arch))
    except store.NotCached as error:
        pytest.skip(str(error))
    return prepare(lane.kernel, lane.arch)


@pytest.fixture(scope="module", autouse=True)
def own_states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """States of these tests' own, so that the first session saves one."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("states")
        patch.setattr(states, "_parent", lambda: folder)
        patch.delenv(states.COLD, raising=False)
        yield


def judged(lane: Lane, session: Session[Machine]) -> dict[str, str]:
    """The verdict of every core script."""
    session.executor.switch(lane.engine)
    environment = session.environment(lane.engine)
    model, found = ModelExecutor(environment), {}
    for seen in session.executor.run(core_scripts(lane.arch, session.kernel.era)):
        result = verdict(lane, seen, predict(model, seen))
        found[seen.script.name] = f"{result.verdict} {result.reason}"
    return found


@pytest.mark.guest
def test_verdicts_and_greeting_do_not_depend_on_it(lane: Lane, bootable: Bootable, tmp_path: Path) -> None:
    with lane_session(bootable, tmp_path / "cold") as session:
        assert not session.restored
        facts, expected = session.facts, judged(lane, session)
    for number in range(2):
        with lane_session(bootable, tmp_path / f"restored {number}") as session:
            assert session.restored
            assert session.facts == facts
            assert judged(lane, session) == expected
            assert session.target.warnings == () and session.target.log_lacks == 0
            assert "hil: ready" in session.target.console_log.read_text()


@pytest.mark.guest
def test_time_and_random_numbers_are_its_own(bootable: Bootable, tmp_path: Path) -> None:
    with lane_session(bootable, tmp_path):
        pass  # there is a state now
    seen = set()
    for _ in range(2):
        with lane_session(bootable, tmp_path) as session:
            assert session.restored
            told = float(session.target.run(["date", "+%s"]).stdout)
            assert abs(told - time.time()) < 5 + 2 * session.boot_seconds
            seen.add(read_file(session.target, "/proc/sys/kernel/random/boot_id"))
            seen.add(session.target.run(["head", "-c", "16", "/dev/urandom"]).stdout)
            session.bring_up_cpus()
    assert len(seen) == 4


@pytest.mark.guest
def test_an_agent_that_ends_is_noticed_and_another_one_started(bootable: Bootable, tmp_path: Path) -> None:
    with lane_session(bootable, tmp_path) as session:
        first = session.executor.agent.hello.pid
        session.target.run(["kill", "-9", str(first)])
        batch, _ = waking(session.executor.guest, 10)
        with pytest.raises(MachineLost, match="stream ended"):
            session.executor._once(batch)
        assert session.executor.agent.hello.pid != first
        session.executor.wake()


@pytest.mark.guest
def test_a_damaged_state_is_made_again(bootable: Bootable, tmp_path: Path) -> None:
    with lane_session(bootable, tmp_path) as session:
        state = states.folder_of(replace(session.target.spec, state=None)) / states.STATE
    state.chmod(0o644)
    with state.open("r+b") as file:
        file.seek(state.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    told: list[str] = []
    with lane_session(bootable, tmp_path, listener=LineListener(told.append)) as session:
        assert not session.restored
    assert "is damaged" in told[0] or "could not be used" in told[0]
    with lane_session(bootable, tmp_path) as session:
        assert session.restored
