# SPDX-License-Identifier: MIT
"""The record of a guest that died or hangs: plain data, for files and reports. `hil.postmortem` fills it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

FILE = "postmortem"
"""The name, without its ending, of the files in the folder of a machine: JSON, and the same as text. A guest that hung
and went on, and then hangs or dies, leaves others, with a number."""
LINES = 40
"""The last lines of the console that are kept."""
_FRAMES, _FEW = 64, 12
"""Frames of a stack, and lines of the console, in text that is whole, and in short."""
_A_ROW = 4
"""Registers in a row of the text."""


class Death(StrEnum):
    """What became of a guest. CRASH: its kernel panicked, or it was reset without having asked for it. HANG: it is
    there and does not answer. GONE: QEMU ended, so that nothing could be read."""

    CRASH = "crash"
    HANG = "hang"
    GONE = "gone"


@dataclass(frozen=True)
class CpuState:
    """A CPU of a guest that died or hangs. `place` says in words where it is; `registers` are the general ones by gdb's
    names, in hexadecimal; `frames` its stack, innermost first, a line each; `program` the BPF program that it executes
    and at which instruction, or why that is not known, empty where it executes none."""

    number: int
    place: str
    registers: Mapping[str, str] = field(default_factory=dict, hash=False)
    frames: tuple[str, ...] = ()
    program: str = ""


@dataclass(frozen=True)
class PostMortem:
    """What a guest left when it died or hung. `sentence` sums it up, `console` are the last lines it printed, `notes`
    say what could not be had, and why; `file` is the name, without its ending, of its files."""

    death: Death
    sentence: str
    cpus: tuple[CpuState, ...] = ()
    console: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    file: str = FILE

    def lines(self) -> Iterator[str]:
        """Yields it as text: for each CPU its place, its program, its stack and its registers; then the console."""
        yield f"{self.death}: {self.sentence}"
        for cpu in self.cpus:
            yield from _lines(cpu, _FRAMES)
            yield from _rows(cpu.registers)
        yield from self.notes
        yield from self._printed(LINES)

    def short(self) -> Iterator[str]:
        """Yields it without registers, with what the console printed last."""
        yield f"{self.death}: {self.sentence}"
        for cpu in self.cpus:
            yield from _lines(cpu, _FEW)
        yield from self.notes
        yield from self._printed(_FEW)
        yield f"registers, whole stacks and more of the console: {self.file}.txt in the folder of the machine"

    def _printed(self, most: int) -> Iterator[str]:
        if self.console:
            yield "last lines of the console:"
            yield from (f"  {line}" for line in self.console[-most:])

    def write(self, folder: Path) -> None:
        """Writes it into the folder of the machine, as data and as text; OSError where that cannot be written."""
        (folder / f"{self.file}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        (folder / f"{self.file}.txt").write_text("\n".join(self.lines()) + "\n", errors="backslashreplace")


def _lines(cpu: CpuState, most: int) -> Iterator[str]:
    yield f"CPU {cpu.number}: {cpu.place}"
    if cpu.program:
        yield f"  {cpu.program}"
    yield from (f"  #{number} {frame}" for number, frame in enumerate(cpu.frames[:most]))
    if len(cpu.frames) > most:
        yield f"  {len(cpu.frames) - most} more"


def _rows(registers: Mapping[str, str]) -> Iterator[str]:
    words = [f"{name:>6} {value}" for name, value in registers.items()]
    yield from (" ".join(words[at : at + _A_ROW]) for at in range(0, len(words), _A_ROW))
