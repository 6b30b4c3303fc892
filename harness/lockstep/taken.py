# SPDX-License-Identifier: MIT
"""What a lane's programs did, without its machine: kept in a file, and held against another lane."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.isa.instruction import Instruction, decode, encode
from harness.isa.opcodes import Pseudo
from harness.lockstep.actual import GuestProgram, GuestRun
from harness.lockstep.recording import Recorded
from harness.script.dependence import names
from harness.script.maps import CreateMap, LookupElement
from harness.script.operations import LoadProgram, MapType, Ref
from hil.errors import UserError

_FORMAT = 1


@dataclass(frozen=True)
class TakenStep:
    """An executed instruction of a program: R0 to R10 before it, and the frame's stack. R10 and the stack are None
    where a function of a JIT begins: its prologue makes them."""

    program: str
    index: int
    registers: tuple[int | None, ...]
    stack: bytes | None


@dataclass(frozen=True)
class Taken:
    """A script on a lane: the instructions of each program by its name, those of them that the kernel kept, and the
    runs in their order. `maps` has the names of the maps that instructions of a program refer to, by their numbers;
    `sizes` the bytes of each map's keys and values; `arrays` those maps whose values begin as zeros, and which nothing
    but these runs writes, one after the other."""

    lane: str
    script: str
    programs: Mapping[str, tuple[Instruction, ...]]
    kept: Mapping[str, frozenset[int]]
    runs: tuple[tuple[TakenStep, ...], ...]
    maps: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    arrays: frozenset[str] = frozenset()


def taken(lane: str, script: str, recorded: Recorded) -> Taken:
    """Returns what was recorded in the form that is kept. A run that may be of several programs, since they have the
    same code, counts as the first one's."""
    called = _names(recorded.programs)
    programs = {called[one]: one.instructions for one in recorded.programs}
    kept = {called[one]: one.kept for one in recorded.programs}
    runs = tuple(tuple(_steps(run, called)) for run in recorded.runs)
    operations = recorded.seen.script.operations
    loads = [one for one in operations if isinstance(one, LoadProgram)]
    maps = {
        called[one]: {index: ref.name for index, ref in load.program.maps}
        for one, load in zip(recorded.programs, loads, strict=True)
    }
    sizes = {one.name: (one.key_size, one.value_size) for one in operations if isinstance(one, CreateMap)}
    return Taken(lane, script, programs, kept, runs, maps, sizes, _arrays(recorded))


def _arrays(recorded: Recorded) -> frozenset[str]:
    """Returns the arrays whose content follows from the runs: those that the script's operations only make, give to
    programs, and read. None when runs overlap, may be of several programs, or were not seen."""
    runs = [run.readings[0] for run in recorded.runs]
    alone = all(len(run.readings) == 1 for run in recorded.runs) and not any(one.refused for one in recorded.programs)
    if not alone or any(one[-1].record.order >= other[0].record.order for one, other in pairwise(runs)):
        return frozenset()
    operations = recorded.seen.script.operations
    made = Counter(one.name for one in operations if isinstance(one, CreateMap) and one.type == MapType.ARRAY)
    others = [one for one in operations if not isinstance(one, CreateMap | LoadProgram | LookupElement)]
    values = {ref.name for one in operations if isinstance(one, LoadProgram) for ref in _by_value(one)}
    return frozenset(name for name, times in made.items() if times == 1).difference(values, *map(names, others))


def _by_value(load: LoadProgram) -> Iterator[Ref]:
    """Yields the maps whose values a program has the addresses of without looking them up."""
    for index, ref in load.program.maps:
        if load.program.instructions[index].src != Pseudo.MAP_FD:
            yield ref


def _names(programs: Sequence[GuestProgram]) -> Mapping[GuestProgram, str]:
    """Returns a name for each program; later ones of the same name, which a script may load when the first one is
    closed, or failed, have a number."""
    found: dict[GuestProgram, str] = {}
    for one in programs:
        number = 1 + sum(other.name == one.name for other in found)
        found[one] = one.name if number == 1 else f"{one.name} ({number})"
    return found


def _steps(run: GuestRun, names: Mapping[GuestProgram, str]) -> Iterator[TakenStep]:
    for step in run.readings[0]:
        registers = (*step.registers[:-1], None if step.entry else step.registers[-1])
        yield from (TakenStep(names[step.program], index, registers, step.stack) for index in step.indexes)


def write(path: Path, one: Taken) -> None:
    """Writes a file for `read`; raises UserError when that cannot be."""
    content = {
        "format": _FORMAT,
        "lane": one.lane,
        "script": one.script,
        "programs": {name: encode(instructions).hex() for name, instructions in one.programs.items()},
        "kept": {name: sorted(indexes) for name, indexes in one.kept.items()},
        "runs": [
            [[step.program, step.index, step.registers, step.stack.hex() if step.stack else None] for step in run]
            for run in one.runs
        ],
        "maps": one.maps,
        "sizes": one.sizes,
        "arrays": sorted(one.arrays),
    }
    try:
        path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", remedy="name another file") from error


def read(path: Path) -> Taken:
    """Returns what `write` wrote; raises UserError for anything else."""
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        if content["format"] != _FORMAT:
            raise UserError(
                f"{path} has format {content['format']}, where {_FORMAT} is known", remedy="record the script again"
            )
        return _parsed(content)
    except (gzip.BadGzipFile, EOFError, zlib.error, LookupError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no record of a script", remedy="name a file that --record wrote") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", remedy="name a file that --record wrote") from error


def _parsed(content: Any) -> Taken:
    programs = {name: tuple(decode(bytes.fromhex(code))) for name, code in content["programs"].items()}
    runs = tuple(
        tuple(
            TakenStep(name, index, tuple(registers), None if stack is None else bytes.fromhex(stack))
            for name, index, registers, stack in run
        )
        for run in content["runs"]
    )
    kept = {name: frozenset(content["kept"][name]) for name in programs}
    if not all(runs) or not all(0 <= step.index < len(programs[step.program]) for run in runs for step in run):
        raise ValueError("runs of no instructions, or of others than the programs have")
    # Files of before there was anything to go back for have none of these.
    maps = {
        name: {int(index): str(map) for index, map in found.items()} for name, found in content.get("maps", {}).items()
    }
    sizes = {str(name): (int(key), int(value)) for name, (key, value) in content.get("sizes", {}).items()}
    arrays = frozenset(map(str, content.get("arrays", ())))
    return Taken(content["lane"], content["script"], programs, kept, runs, maps, sizes, arrays)
