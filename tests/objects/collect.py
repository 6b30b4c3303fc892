# SPDX-License-Identifier: MIT
"""The objects in the files of a package, and what the reader makes of each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.objects import embedded
from harness.objects.elf import MAGIC
from harness.objects.object_file import ObjectFile, ObjectProgram
from harness.objects.reader import read
from harness.objects.reasons import Reason, Refused


@dataclass
class Tally:
    """What was read of one package."""

    objects: int = 0
    programs: int = 0
    sections: int = 0
    understood: int = 0
    kprobes: int = 0
    kprobes_understood: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    """How often, of objects, maps and programs."""

    def __iadd__(self, other: Tally) -> Tally:
        for name in ("objects", "programs", "sections", "understood", "kprobes", "kprobes_understood"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused += other.refused
        return self


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every object below `folder`, with the file it is in."""
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        content = file.read_bytes()
        if MAGIC in content:
            yield from ((file, one.content) for one in embedded.objects(content))


def digest(content: bytes) -> str:
    """What tells an object apart."""
    return hashlib.sha256(content).hexdigest()


def tally(content: bytes) -> Tally:
    """One object, read. A section is understood when each of its programs is, and its name tells what they are."""
    found = Tally(objects=1)
    try:
        file = read(content)
    except Refused as error:
        found.refused[error.refusal.reason] += 1
        return found
    found.programs = len(file.programs)
    found.refused.update(refusal.reason for refusal in file.refusals)
    found.refused.update(reason for program in file.programs if (reason := _reason(program)))
    for programs in _by_section(file).values():
        good = not any(map(_reason, programs))
        kprobe = (said := programs[0].meaning) is not None and said.mechanism in ("kprobe", "kretprobe")
        found.sections += 1
        found.understood += good
        found.kprobes += kprobe
        found.kprobes_understood += good and kprobe
    return found


def _by_section(file: ObjectFile) -> dict[str, list[ObjectProgram]]:
    sections: dict[str, list[ObjectProgram]] = {}
    for program in file.programs:
        sections.setdefault(program.section, []).append(program)
    return sections


def _reason(program: ObjectProgram) -> Reason | None:
    if program.refusal:
        return program.refusal.reason
    return Reason.UNKNOWN_SECTION if program.meaning is None else None
