# SPDX-License-Identifier: MIT
"""What the commands share: the programs that the kernel has loaded, and the run that is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from harness.debug.inside.data import MapData, RunData, SessionData
from harness.debug.inside.guest import Structures
from harness.debug.inside.loaded import Loaded
from hil.errors import UserError
from hil.gdb.registers import RegisterFile, register_file


@dataclass
class Run:
    """The run that began last: of a program, its number from 1, its context. `at` is the step of the model that it was
    seen at, -1 before the first; `moved` says whether the guest has run since."""

    loaded: Loaded
    number: int
    context: int
    at: int = -1
    moved: bool = True


class Session:
    """The state of a debugging session."""

    def __init__(self, data: SessionData) -> None:
        self.data = data
        self.structures = Structures(data.offsets)
        self.loaded: list[Loaded] = []
        """The programs that are loaded, the newest last."""
        self.on_load: list[Callable[[Loaded], None]] = []
        """What is to be told of every program when it is loaded."""
        self.unloaded: set[str] = set()
        """The names of those that were."""
        self.run: Run | None = None
        self.runs: Counter[str] = Counter()
        """How many runs of each code there were."""
        self.bases: dict[int, int] = {}
        """The addresses of the model's regions, as far as pointers into them were seen."""

    @property
    def machine(self) -> RegisterFile:
        """The names of the machine's registers."""
        return register_file(self.data.arch)

    def load(self, loaded: Loaded) -> None:
        """Takes note of a program that was loaded."""
        self.loaded.append(loaded)
        for told in self.on_load:
            told(loaded)

    def begin(self, loaded: Loaded, context: int) -> None:
        """Takes note of a run that begins."""
        self.runs[loaded.data.code] += 1
        self.run = Run(loaded, self.runs[loaded.data.code], context)

    def forget(self, pointer: int) -> None:
        """Takes note that a program is unloaded."""
        for one in [one for one in self.loaded if one.pointer == pointer]:
            self.loaded.remove(one)
            self.unloaded.add(one.data.name)
            if self.run and self.run.loaded is one:
                self.run = None

    def map(self, name: str) -> MapData:
        """Returns a map by its name; raises UserError when the script has none of it."""
        for one in self.data.maps:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in self.data.maps)
        raise UserError(f"there is no map {name!r}", remedy=f"it has {names}" if names else "the script makes no maps")

    def nothing_loaded(self) -> UserError:
        """Returns the error that none of the script's programs is there to be looked at."""
        if self.unloaded:
            names = ", ".join(sorted(self.unloaded))
            return UserError(f"{names}: unloaded by now", remedy="stop the guest earlier, while the program is there")
        return UserError(
            "the kernel has loaded none of the script's programs yet",
            remedy="`continue` first: it runs the script to the breakpoint, then `bpf step` to the program",
        )

    def expected(self) -> RunData | None:
        """Returns the model's run that is the one under way; None when it has none."""
        if self.run is None:
            return None
        code = self.run.loaded.data.code
        same = [one for one in self.data.runs if self.data.programs[one.program].code == code]
        return same[self.run.number - 1] if self.run.number <= len(same) else None
