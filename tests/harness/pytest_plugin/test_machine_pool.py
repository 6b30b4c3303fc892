"""When a machine is booted, kept and replaced; with stand-ins for all that takes a kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.pytest_plugin import machine_pool as module
from harness.pytest_plugin.machine_pool import MachinePool
from hil.arch import Architecture
from hil.errors import BenchError, MachineLost

ONE, ONE_INTERPRETED = Lane("one", "arm64", Engine.JIT), Lane("one", "arm64", Engine.INTERP)
OTHER = Lane("other", "arm64", Engine.JIT)


@dataclass(frozen=True)
class Kernel:
    """As much of one as the pool looks at."""

    name: str
    arch: Architecture
    version_code: int = 0x601C0
    release: str = "6.1.0-56"
    era: str = "6.1"


class World:
    """What happened to machines, and what is to happen to the next."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.kernel: Callable[..., Kernel] = Kernel
        self.boots: Callable[[], None] = lambda: None
        self.switches: Callable[[Engine], None] = lambda engine: None

    def machine(self, spec: Any) -> StandIn:
        return StandIn(self, spec)


class StandIn:
    """A machine that comes up and goes down at once."""

    def __init__(self, world: World, spec: Any) -> None:
        self.world, self.spec = world, spec
        self.name = spec.folder.name
        self.agent = SimpleNamespace(hello=SimpleNamespace(release="6.1.0-56"))

    def __enter__(self) -> StandIn:
        self.world.boots()
        self.spec.folder.mkdir()
        self.world.told.append(f"{self.name} up")
        return self

    def __exit__(self, *_: object) -> None:
        self.world.told.append(f"{self.name} down")

    def switch(self, engine: Engine) -> None:
        self.world.switches(engine)


def _executor(machine: StandIn, guest: Guest) -> Executor:
    guest.check_release(machine.agent.hello.release)  # as the real one does
    return Executor(machine)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(module, "Machine", world.machine)
    monkeypatch.setattr(module, "GuestExecutor", _executor)
    monkeypatch.setattr(module.guestroot, "build", lambda kernel: None)
    monkeypatch.setattr(module.store, "get", lambda name, arch: world.kernel(name, arch))
    return world


class Executor:
    """A context manager that leaves the machine to whoever made it."""

    def __init__(self, machine: StandIn) -> None:
        self.agent, self.switch = machine.agent, machine.switch

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_both_engines_share_a_machine_and_another_kernel_takes_its_place(world: World, tmp_path: Path) -> None:
    with MachinePool(tmp_path) as pool:
        assert pool.machine(ONE_INTERPRETED) is pool.machine(ONE)
        pool.machine(OTHER)
        pool.machine(ONE)
    up_and_down = [f"{name} {what}" for name in ("one-arm64", "other-arm64", "one-arm64-2") for what in ("up", "down")]
    assert world.told == up_and_down


def test_a_machine_that_does_not_answer_is_replaced(world: World, tmp_path: Path) -> None:
    with MachinePool(tmp_path) as pool:
        pool.machine(ONE)
        world.switches = _once(MachineLost("it hangs"))
        machine, _ = pool.machine(ONE)
        assert machine.spec.folder.name == "one-arm64-2"
    assert world.told == ["one-arm64 up", "one-arm64 down", "one-arm64-2 up", "one-arm64-2 down"]


def test_a_kernel_that_does_not_boot_is_not_tried_again(world: World, tmp_path: Path) -> None:
    world.boots = _once(BenchError("QEMU ended"))
    with MachinePool(tmp_path) as pool:
        for _ in range(2):
            with pytest.raises(BenchError, match="QEMU ended"):
                pool.machine(ONE)
        pool.machine(OTHER)
    assert world.told == ["other-arm64 up", "other-arm64 down"]


def test_an_engine_the_kernel_does_not_have_costs_no_machine(world: World, tmp_path: Path) -> None:
    with MachinePool(tmp_path) as pool:
        pool.machine(ONE)
        world.switches = _once(EngineUnavailable("one engine only"))
        with pytest.raises(EngineUnavailable):
            pool.machine(ONE_INTERPRETED)
        pool.machine(ONE)
    assert world.told == ["one-arm64 up", "one-arm64 down"]


def test_another_kernel_than_the_one_asked_for_is_stopped_again(world: World, tmp_path: Path) -> None:
    world.kernel = partial(Kernel, release="6.1.0-57")
    with MachinePool(tmp_path) as pool, pytest.raises(BenchError, match=r"should be 6\.1\.0-57"):
        pool.machine(ONE)
    assert world.told == ["one-arm64 up", "one-arm64 down"]


def _once(error: Exception) -> Callable[..., None]:
    """Raises the first time it is called."""
    left = [error]

    def call(*_: object) -> None:
        if left:
            raise left.pop()

    return call
