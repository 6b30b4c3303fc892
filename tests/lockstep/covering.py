# SPDX-License-Identifier: MIT
"""One lane: its scripts in lockstep, one after the other, each kept in the lane's file as soon as it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.clauses import clauses
from harness.core_scripts import core_scripts
from harness.fuzz.generate import cases
from harness.lane import Lane
from harness.lockstep.checking import Checked, check
from harness.lockstep.findings import Difference, Examined, Line
from harness.lockstep.recording import LockstepLane, lockstep_machine
from harness.lockstep.selftest import self_test
from harness.model.eras import era as rules_of
from harness.run.needs import unmet
from harness.script.needs import Need
from harness.script.operations import LoadProgram, Script
from harness.session import prepare
from hil.errors import BenchError

CORE, GENERATED, CLAUSE = "core", "generated", "clause"


@dataclass(frozen=True)
class Entry:
    """A script of a lane: its `kind`, how many of its programs ran in lockstep, and what was found."""

    script: str
    kind: str
    programs: int = 0
    examined: Examined = field(default_factory=Examined)


@dataclass(frozen=True)
class Covered:
    """A lane's file: the kernel that ran, and the entries so far."""

    lane: str
    kernel: str
    entries: tuple[Entry, ...]


def scripts(arch: str, era: str, seed: int, generated: int) -> Iterator[tuple[str, Script]]:
    """Yields what a lane is to run with its kind: core scripts, generated cases, and clauses, as far as they have
    programs; those that need a second CPU come last, since it stays."""
    every = [
        *((CORE, one) for one in core_scripts(arch, era)),
        *((GENERATED, one) for one in cases(seed, generated, rules_of(era, arch))),
        *((CLAUSE, one.script(era)) for one in clauses(arch, era)),
    ]
    loading = [(kind, one) for kind, one in every if any(isinstance(step, LoadProgram) for step in one.operations)]
    yield from sorted(loading, key=lambda pair: Need.TWO_CPUS in pair[1].needs)


def cover(
    lane: Lane, file: Path, draw: tuple[int, int], done: Collection[str], until: float, say: Callable[[str], None]
) -> None:
    """Runs the lane's scripts but for those that are `done`, until a time of the host's clock (`time.monotonic`), and
    adds them to its file; on another machine when one dies. `draw` is the seed and the number of generated cases.
    Raises what `lockstep_machine` and `self_test` raise."""
    bootable = prepare(lane.kernel, lane.arch)
    left = [pair for pair in scripts(lane.arch, bootable.kernel.era, *draw) if pair[1].name not in done]
    while left and time.monotonic() < until:
        with (
            TemporaryDirectory(prefix="hil-lockstep-") as folder,
            lockstep_machine(lane.kernel, bootable, Path(folder)) as machine,
        ):
            ready = machine.lane(lane.engine)
            self_test(ready)
            if not file.exists():
                append(file, {"lane": str(lane), "kernel": machine.session.facts.uname.split()[2]})
            while left and time.monotonic() < until and machine.session.target.alive:
                kind, script = left.pop(0)
                append(file, asdict(_entry(ready, kind, script)))
        say(f"{lane}: {len(left)} scripts left")


def _entry(lane: LockstepLane, kind: str, script: Script) -> Entry:
    if reason := unmet(script.needs, lane.environment):
        return Entry(script.name, kind, 0, Examined(note=reason))
    try:
        checked = check(lane, script)
    except BenchError as error:
        return Entry(script.name, kind, 0, Examined(note=f"{error.what}"))
    return Entry(script.name, kind, _programs(checked), checked.examined)


def _programs(checked: Checked) -> int:
    """Returns how many of the script's programs ran in the guest and in the model."""
    ran = {step.step.program for one in checked.compared if one.guest for step in one.model.steps}
    return sum(one.instructions in ran for one in checked.recorded.programs)


def append(file: Path, line: object) -> None:
    """Adds a line to a lane's file."""
    with file.open("a") as opened:
        opened.write(f"{json.dumps(line)}\n")


def read(file: Path) -> Covered:
    """Returns what a lane's file has: of a script that was run again the last result; not a last line that was cut
    off."""
    head, *lines = file.read_text().splitlines(keepends=True)
    about = json.loads(head)
    entries = (_parsed(json.loads(line)) for line in lines if line.endswith("\n"))
    return Covered(about["lane"], about["kernel"], tuple({entry.script: entry for entry in entries}.values()))


def _parsed(line: dict[str, Any]) -> Entry:
    examined = _frozen(line.pop("examined"))
    if parted := examined.pop("difference"):
        around = tuple(Line(**one) for one in parted.pop("around"))
        parted = Difference(**{**_frozen(parted), "around": around})
    return Entry(**line, examined=Examined(**examined, difference=parted))


def _frozen(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
