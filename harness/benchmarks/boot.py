# SPDX-License-Identifier: MIT
"""The time that the bench adds to a boot: from QEMU's start to the end of the greeting, compared with the same kernel's
bare boot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from harness.benchmarks.ratio import Ratio, seconds
from harness.session import Bootable, lane_session, specification
from hil import guestroot
from hil.errors import BenchError
from hil.machine import Machine, MachineSpec, QemuExited, speed
from hil.machine.waits import BOOT


def boot_ratio(bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Boots both ways in turn. The bare boot ends when an init that only powers off has ended QEMU."""
    kernel = bootable.kernel
    bare_root = replace(bootable.root, initramfs=guestroot.bare(kernel))
    bare_spec = specification(replace(bootable, root=bare_root), folder / "bare")
    full, bare = [], []
    for number in range(1, rounds + 1):
        notify(f"boot {kernel.name}/{kernel.arch}, round {number} of {rounds}")
        bare.append(seconds(lambda: _boot_bare(bare_spec)))
        full.append(seconds(lambda: _boot_to_greeting(bootable, folder)))
    return Ratio(
        f"{kernel.name}/{kernel.arch}: start to the greeting / bare boot to power-off",
        "s",
        tuple(full),
        tuple(bare),
        "at most 1.5",
    )


def _boot_to_greeting(bootable: Bootable, folder: Path) -> None:
    with lane_session(bootable, folder, cold=True):
        return


def _boot_bare(spec: MachineSpec) -> None:
    """Boots a guest that powers off when it is ready, which is seen before or after that it is."""
    ended = threading.Event()
    with suppress(QemuExited), Machine(spec) as machine:
        machine.on_loss(ended.set)
        if not ended.wait(BOOT.seconds * speed.scale()):
            raise BenchError("the bare guest did not power off", details=machine.console.tail())
