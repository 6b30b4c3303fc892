# SPDX-License-Identifier: MIT
"""When a machine is booted, kept and replaced; with fakes for all that takes a kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.pytest_plugin.machine_pool import WAITING, MachinePool
from harness.script.needs import CPUS
from harness.session import Phase
from hil.errors import BenchError, MachineLost
from hil.kernels.kernel import Kernel
from hil.machine import MachineSpec
from tests.fakes import FakeExecutor, FakeTarget, fake_kernel, replace_machines

ONE, ONE_INTERPRETED = Lane("one", "arm64", Engine.JIT), Lane("one", "arm64", Engine.INTERP)
OTHER = Lane("other", "arm64", Engine.JIT)


class World:
    """What happened to machines, and what is to happen to the next."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.specs: list[MachineSpec] = []
        self.kernel: Callable[..., Kernel] = fake_kernel
        self.boots: Callable[[], None] = lambda: None
        self.switches: Callable[[Engine], None] = lambda engine: None

    def machine(self, spec: MachineSpec) -> FakeTarget:
        self.specs.append(spec)

        def life(what: str) -> None:
            if what == "up":
                self.boots()
                spec.folder.mkdir()
            self.told.append(f"{spec.folder.name} {what}")

        return FakeTarget(spec, life=life)


class Executor(FakeExecutor):
    """Chooses an engine as the world says."""

    def __init__(self, world: World, target: FakeTarget, guest: Guest) -> None:
        super().__init__(target, guest)
        self._world = world

    def switch(self, engine: Engine) -> None:
        self._world.switches(engine)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    replace_machines(
        monkeypatch,
        target=world.machine,
        executor=lambda target, guest, **_: Executor(world, target, guest),
        kernel=lambda name, arch, **_: world.kernel(name, arch.name),
    )
    return world


def test_both_engines_share_a_machine_and_another_kernel_takes_its_place(world: World, tmp_path: Path) -> None:
    with MachinePool(tmp_path) as pool:
        assert pool.session(ONE_INTERPRETED) is pool.session(ONE)
        pool.session(OTHER)
        pool.session(ONE)
    up_and_down = [f"{name} {what}" for name in ("one-arm64", "other-arm64", "one-arm64-2") for what in ("up", "down")]
    assert world.told == up_and_down


def test_a_machine_for_tests_has_all_its_cpus_from_the_beginning(world: World, tmp_path: Path) -> None:
    """A test may do anything; other sessions begin on one."""
    with MachinePool(tmp_path) as pool:
        pool.session(ONE)
    assert [(spec.cpus, spec.append) for spec in world.specs] == [(CPUS, ())]


def test_a_machine_that_does_not_answer_is_replaced(world: World, tmp_path: Path) -> None:
    with MachinePool(tmp_path) as pool:
        pool.session(ONE)
        world.switches = _once(MachineLost("it hangs"))
        session = pool.session(ONE)
        assert session.target.spec.folder.name == "one-arm64-2"
    assert world.told == ["one-arm64 up", "one-arm64 down", "one-arm64-2 up", "one-arm64-2 down"]


def test_a_kernel_that_does_not_boot_is_not_tried_again(world: World, tmp_path: Path) -> None:
    world.boots = _once(BenchError("QEMU ended"))
    with MachinePool(tmp_path) as pool:
        for _ in range(2):
            with pytest.raises(BenchError, match="QEMU ended"):
                pool.session(ONE)
        pool.session(OTHER)
    assert world.told == ["other-arm64 up", "other-arm64 down"]


def test_an_engine_the_kernel_does_not_have_costs_no_machine(world: World, tmp_path: Path) -> None:
    with MachinePool(tmp_path) as pool:
        pool.session(ONE)
        world.switches = _once(EngineUnavailable("one engine only"))
        with pytest.raises(EngineUnavailable):
            pool.session(ONE_INTERPRETED)
        pool.session(ONE)
    assert world.told == ["one-arm64 up", "one-arm64 down"]


def test_another_kernel_than_the_one_asked_for_is_stopped_again(world: World, tmp_path: Path) -> None:
    world.kernel = partial(fake_kernel, release="6.1.0-57")
    with MachinePool(tmp_path) as pool, pytest.raises(BenchError, match=r"should be 6\.1\.0-57"):
        pool.session(ONE)
    assert world.told == ["one-arm64 up", "one-arm64 down"]


def test_who_waits_is_told_for_which_phase_of_which_machine(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    class Beating:
        def __init__(self, tell: Callable[[str], None], say: Callable[[str, float], str]) -> None:
            self.beat = lambda: lines.append(say("", 7))

        def __enter__(self) -> Callable[[str], None]:
            world.boots = self.beat
            world.kernel = lambda *names: (self.beat(), fake_kernel(*names))[1]
            return lines.append

        def __exit__(self, *_: object) -> None:
            self.beat()

    monkeypatch.setattr("harness.pytest_plugin.machine_pool.Heartbeat", Beating)
    with MachinePool(tmp_path) as pool:
        pool.session(ONE)
    assert lines == [f"waiting for one/arm64 ({WAITING[one]}): 7 s" for one in (Phase.KERNEL, Phase.BOOT, Phase.SSH)]


def _once(error: Exception) -> Callable[..., None]:
    """Raises the first time it is called."""
    left = [error]

    def call(*_: object) -> None:
        if left:
            raise left.pop()

    return call
