# SPDX-License-Identifier: MIT
"""Restored machines: how much sooner they answer than booted ones, and whether each of many in a row does."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.benchmarks.ratio import Ratio
from harness.session import QUIET, Bootable, Listener, lane_session
from hil.errors import BenchError
from hil.machine import states


@dataclass(frozen=True)
class Restores:
    """How many machines of `asked` were restored, the reasons why others were booted, and the seconds of the restored
    ones until the greeting."""

    asked: int
    fallbacks: tuple[str, ...]
    seconds: tuple[float, ...]

    def __str__(self) -> str:
        took = f", in {statistics.median(self.seconds):.2f} s at the median" if self.seconds else ""
        return "\n".join([f"{len(self.seconds)} of {self.asked} restored{took}", *self.fallbacks])


_TOLD = 20
"""Of so many restores in a row, one is told."""


def restore_ratio(bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Restores and boots in turn, each from QEMU's start to the end of the greeting; a state is saved first if there is
    none. Raises BenchError when a machine is not restored."""
    kernel = bootable.kernel
    _start(bootable, folder)
    restored, booted = [], []
    for number in range(1, rounds + 1):
        notify(f"restore {kernel.name}/{kernel.arch}, round {number} of {rounds}")
        seconds, was_restored = _start(bootable, folder)
        if not was_restored:
            raise BenchError("the machine was booted, not restored", remedy=f"unset {states.COLD}")
        restored.append(seconds)
        booted.append(_start(bootable, folder, cold=True)[0])
    return Ratio(
        f"{kernel.name}/{kernel.arch}: start to the greeting, restored / booted",
        "s",
        tuple(restored),
        tuple(booted),
        "at most 0.2, and 0.5 s",
    )


def restored_in_a_row(bootable: Bootable, folder: Path, count: int, notify: Callable[[str], None]) -> Restores:
    """Restores `count` machines one after the other, from a state that is saved first if there is none."""
    heard = _Warnings()
    _start(bootable, folder)
    seconds = []
    for number in range(1, count + 1):
        if number % _TOLD == 1:
            notify(f"restore {number} of {count} of {bootable.kernel.name}/{bootable.kernel.arch}")
        took, was_restored = _start(bootable, folder, listener=heard)
        if was_restored:
            seconds.append(took)
    return Restores(count, tuple(heard.warnings), tuple(seconds))


class _Warnings(Listener):
    """Keeps the warnings, which say why a machine was booted."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, line: str) -> None:
        self.warnings.append(line)


def _start(bootable: Bootable, folder: Path, *, cold: bool = False, listener: Listener = QUIET) -> tuple[float, bool]:
    with lane_session(bootable, folder, cold=cold, listener=listener) as session:
        return session.boot_seconds, session.restored
