# SPDX-License-Identifier: MIT
"""What is noticed of a guest that ends while its machine begins; no QEMU takes part."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hil.machine import Machine, speed
from hil.machine import machine as module
from hil.machine.liveness import QemuExited


class Qemu:
    """A process that ends when its monitor is asked for it."""

    stopped = False
    pid = 0

    def __init__(self, *_: object, on_exit: Callable[[int], None], **__: object) -> None:
        Qmp.process = self
        self.returncode: int | None = None
        self._on_exit = on_exit
        self._ended = threading.Event()

    def end(self) -> None:
        self.returncode = 0
        self._on_exit(0)
        self._ended.set()

    def wait(self, seconds: float | None) -> bool:
        return self._ended.wait(seconds)


class Qmp:
    """The monitor of a guest that had ended before anybody could listen; QEMU holds it (-no-shutdown)."""

    process: Qemu

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def watch(self, on_state: Callable[[str], None]) -> None:
        on_state("shutdown")

    def shutdown_reason(self) -> str:
        return "guest-shutdown"

    def quit(self, _: float) -> None:
        self.process.end()

    def close(self) -> None:
        pass


def test_a_guest_that_ended_before_the_monitor_was_there_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "Monitor": Qmp,
        "QemuProcess": Qemu,
        "programs": SimpleNamespace(require=lambda *_: None),
        "qemu_command": lambda *_: ["qemu"],
        "accelerator": SimpleNamespace(of=lambda _: None),
        "transport": SimpleNamespace(choose=lambda _: None),
    }.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(speed, "scale", lambda: 0.001)
    arch = SimpleNamespace(qemu="qemu", qemu_package="qemu")
    spec: Any = SimpleNamespace(
        folder=tmp_path,
        console_log=tmp_path / "console.log",
        stderr_file=tmp_path / "stderr",
        command_file=tmp_path / "command",
        state=None,
        kernel=SimpleNamespace(arch=arch),
        root=SimpleNamespace(connects=False),
    )
    with pytest.raises(QemuExited, match="QEMU ended with status 0"):
        Machine(spec).start()
