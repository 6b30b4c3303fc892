# SPDX-License-Identifier: MIT
"""The entries of bugs.toml, and the script that shows one of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from harness.core_scripts.parts import array, u64
from harness.isa.text import assemble
from harness.lane import Lane
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    MapType,
    Operation,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)
from harness.script.outcome import Outcome
from hil.errors import BenchError

BUGS = Path(__file__).parent / "bugs.toml"
PACKET = bytes(range(256))
_MAP, _PROGRAMS = "map", "programs"


class Observe(StrEnum):
    """What of a program shows the error."""

    VERDICT = "verdict"
    """What the filter returns."""
    LOAD = "load"
    """Whether the kernel accepts it: the errno, or `ACCEPTED`."""


ACCEPTED = "accepted"


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One error of kernels; bugs.toml says what the fields mean. `other` is what a correct kernel gives where the
    program finds that it cannot show the error, because of an address; empty where that does not happen."""

    id: str
    title: str
    what: str
    where: str
    has: Sequence[str]
    has_not: Sequence[str]
    fix: str
    fixed_in: str
    status: str
    found: str
    commit: str = ""
    program: str = ""
    observe: str = Observe.VERDICT
    numbers: Sequence[int] = ()
    right: str = ""
    wrong: str = ""
    other: str = ""
    shown_by: str = ""
    code: str = ""
    operations: Sequence[str] = ()
    fault: str = ""

    @property
    def reason(self) -> str:
        """What is wrong and what fixed it, on one line."""
        return f"{self.title}; fixed in {self.fixed_in}: {self.fix}"

    @property
    def link(self) -> str:
        """Where more can be read."""
        return f"https://git.kernel.org/linus/{self.commit}" if self.commit else f"docs/kernel-bugs.md#{self.id}"

    def seen_on(self, lane: Lane) -> bool:
        """Returns whether a lane was seen to have the error."""
        return _matches(lane, self.has)

    def expected(self, lane: Lane) -> str | None:
        """Returns what the program gives on a lane; None where nobody has looked, or where there is no program."""
        if not self.program:
            return None
        if self.seen_on(lane):
            return self.wrong
        return self.right if _matches(lane, self.has_not) else None

    def script(self) -> Script:
        """Returns the script that runs the program once; BenchError for an entry without a program."""
        if not self.program:
            raise BenchError(f"{self.id} has no program")
        program = assemble(self.program)
        operations: list[Operation] = []
        maps = {reference.name for _, reference in program.maps}
        if _MAP in maps:
            operations += (
                array(_MAP, value_size=8 * max(len(self.numbers), 2)),
                UpdateElement(Ref(_MAP), bytes(4), b"".join(map(u64, self.numbers)).ljust(16, b"\0")),
            )
        if _PROGRAMS in maps:
            operations.append(CreateMap(_PROGRAMS, MapType.PROG_ARRAY, 4, 4, 1))
        operations.append(LoadProgram("program", ProgramType.SOCKET_FILTER, program))
        if _PROGRAMS in maps:
            operations.append(UpdateElement(Ref(_PROGRAMS), bytes(4), Ref("program")))
        if self.observe == Observe.VERDICT:
            operations.append(RunSocketFilter(Ref("program"), PACKET))
        return Script(self.id, self.title, tuple(operations))

    def given(self, outcomes: Sequence[Outcome]) -> str:
        """Returns what the script's last operation gave, in the words of `right` and `wrong`."""
        last = outcomes[-1]
        if last.errno is not None:
            return last.errno
        return ACCEPTED if self.observe == Observe.LOAD else str(last.value)


def _matches(lane: Lane, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(str(lane), pattern) for pattern in patterns)


def _bug(row: Mapping[str, Any]) -> Bug:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Bug(**fields)


@cache
def bugs(path: Path = BUGS) -> tuple[Bug, ...]:
    """Returns the entries of the file; BenchError for one with other fields, or without a program and a reason."""
    try:
        entries = tuple(map(_bug, tomllib.loads(path.read_text())["bug"]))
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise BenchError(f"{path}: {error}") from None
    for entry in entries:
        if bool(entry.program) == bool(entry.shown_by) or (entry.program and not (entry.right and entry.wrong)):
            raise BenchError(f"{path}: {entry.id} needs a program with `right` and `wrong`, or `shown_by`")
    return entries
