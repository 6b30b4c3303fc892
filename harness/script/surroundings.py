"""Operations about what surrounds a script in the kernel: settings below /proc/sys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadSetting:
    """The number in a file below /proc/sys, `kernel/perf_event_paranoid` for one."""

    path: str


@dataclass(frozen=True)
class SetSetting:
    """Writes a number there. What it was before is put back at the end of the script, or of the child that did it."""

    path: str
    value: int


SurroundingsOperation = ReadSetting | SetSetting
