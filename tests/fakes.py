# SPDX-License-Identifier: MIT
"""What stands for a kernel, a target and its executor in tests that boot nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.lane import Engine
from harness.lowering.context import Guest
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.model.eras import era
from harness.model.interface.settings import EVER
from harness.script.operations import Operation, Script
from harness.script.outcome import Outcome
from harness.session import Session
from hil.agent.build import agent_binary
from hil.agent.local import ProcessStream, host_architecture
from hil.arch import Architecture, architecture
from hil.errors import MachineLost
from hil.facts import Facts
from hil.guestroot import GuestRoot
from hil.kernels.configuration import options_of
from hil.kernels.kernel import Kernel
from hil.machine import MachineSpec
from hil.machine.liveness import Liveness, Loss
from hil.machine.postmortem import PostMortem
from hil.machine.remains import Remains
from hil.target import Completed

RELEASE = "6.1.0-56"
Says = Callable[[Operation], Outcome]
CONFIG = Path(__file__).with_name("debian.config")
"""Of Debian's configuration, what tells whose it is."""


def fake_kernel(name: str = "debian-12", arch: str = "arm64", **fields: Any) -> Kernel:
    """Debian's 6.1 as far as its names go; but for its configuration its files do not exist."""
    cache = Path("/cache/k")
    known: dict[str, Any] = {
        "modules": None,
        "vmlinux": None,
        "system_map": None,
        "release": RELEASE,
        "version": "6.1.192",
        "era": "6.1",
        "provenance": {},
        "image": cache / "image",
        "config": CONFIG,
    }
    return Kernel(name, architecture(arch), cache, **{**known, **fields})


def fake_facts(release: str = RELEASE, cpus: int = 2, kprobes: bool = True, **settings: int) -> Facts:
    """What Debian's 6.1 tells; `settings` are those of kernel/ that are otherwise, by their last name."""
    known = {path: value for path, value in era("6.1", "arm64").settings.items() if path in EVER}
    known |= {f"kernel/{name}": value for name, value in settings.items()}
    return Facts(release, "#1 SMP Debian", "aarch64", "hil", 4096, cpus, known, kprobes, options_of(CONFIG))


class FakeTarget:
    """This host as a target (`hil.target.Target`): commands and the agent are its processes, and it is lost when
    `lose` says so. `life` hears when it starts and stops."""

    tracing = "/sys/kernel/tracing"
    emulator = ""
    command: Sequence[str] = ()
    log_lacks = 0

    def __init__(
        self,
        spec: MachineSpec | None = None,
        *,
        console_log: Path | None = None,
        warnings: tuple[str, ...] = (),
        life: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.spec = spec
        self.console_log = console_log
        self.warnings = warnings
        self._life = life
        self._liveness = Liveness()
        self._started = False
        self.remains = Remains(Path())

    def __enter__(self) -> FakeTarget:
        self._started = True
        self._life("up")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def arch(self) -> Architecture:
        return host_architecture()

    @property
    def agent(self) -> str:
        return str(agent_binary(self.arch))

    @property
    def postmortem(self) -> PostMortem | None:
        return self.remains.found

    @property
    def alive(self) -> bool:
        return self._started and self._liveness.loss is None

    def lost_reason(self) -> str | None:
        return self._liveness.loss.reason if self._liveness.loss else None

    def on_loss(self, callback: Callable[[], None]) -> None:
        self._liveness.on_loss(callback)

    def lose(self, reason: str) -> None:
        self._liveness.lose(Loss(reason))

    def stop(self) -> None:
        if self.alive:
            self._life("down")
        self.lose("the bench stopped it")

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        self._check()
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise MachineLost(str(error)) from error
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Completed(status, done.stdout, done.stderr)

    def open(self, argv: Sequence[str]) -> ProcessStream:
        self._check()
        stream = ProcessStream(argv)
        self._liveness.on_loss(stream.close)
        return stream

    def _check(self) -> None:
        if reason := self.lost_reason():
            raise MachineLost(f"the target is gone: {reason}")


class FakeExecutor(GuestExecutor):
    """Says of every operation what it is told to say; no agent takes part. `told` are the facts of its greeting."""

    def __init__(
        self, target: Any, guest: Guest, *, says: Says = lambda _: Outcome(value=0), told: Facts | None = None
    ) -> None:
        self.target, self.guest = target, guest
        self.told = told or fake_facts()
        self._says = says
        guest.check_release(self.told.release)

    def __exit__(self, *_: object) -> None:
        pass

    def facts(self, settings: Collection[str]) -> Facts:
        return self.told

    def switch(self, engine: Engine) -> None:
        pass

    def settle(self) -> None:
        pass

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        for script in scripts:
            yield Observed(script, tuple(map(self._says, script.operations)), 0.0)


def fake_executor(says: Says = lambda _: Outcome(value=0), told: Facts | None = None) -> FakeExecutor:
    """An executor without a machine that anybody has to ask for anything."""
    return FakeExecutor(FakeTarget(), Guest.of(fake_kernel()), says=says, told=told)


def fake_session(executor: FakeExecutor, console_log: Path | None = None) -> Session[Any]:
    """A session in which `executor` says what there is to say."""
    target = FakeTarget(console_log=console_log)
    return Session(fake_kernel(), target, executor, executor.facts(EVER))


def replace_machines(
    monkeypatch: pytest.MonkeyPatch,
    target: Callable[[MachineSpec], FakeTarget] = FakeTarget,
    executor: Callable[..., FakeExecutor] = lambda target, guest, **_: FakeExecutor(target, guest),
    kernel: Callable[..., Kernel] = lambda name, arch, **_: fake_kernel(name, arch.name),
) -> None:
    """Sessions are made of these instead of what takes a kernel."""
    root = GuestRoot(Path("/cache/g/initramfs"), Path("/state/key"), "ssh-ed25519 AAAA")
    monkeypatch.setattr("harness.session.store.get", kernel)
    monkeypatch.setattr("harness.session.guestroot.build", lambda *_, **__: root)
    monkeypatch.setattr("harness.session.Machine", target)
    monkeypatch.setattr("harness.session.GuestExecutor", executor)
