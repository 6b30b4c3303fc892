# SPDX-License-Identifier: MIT
"""What a lane's programs did, without its machine: kept in a file, and held against another lane."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.isa.instruction import Instruction, decode, encode
from harness.lockstep.actual import GuestRun
from harness.lockstep.recording import Recorded
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
    runs in their order."""

    lane: str
    script: str
    programs: Mapping[str, tuple[Instruction, ...]]
    kept: Mapping[str, frozenset[int]]
    runs: tuple[tuple[TakenStep, ...], ...]


def taken(lane: str, script: str, recorded: Recorded) -> Taken:
    """Returns what was recorded in the form that is kept. A run that may be of several programs, since they have the
    same code, counts as the first one's."""
    programs = {one.name: one.instructions for one in recorded.programs}
    kept = {one.name: one.kept for one in recorded.programs}
    return Taken(lane, script, programs, kept, tuple(tuple(_steps(run)) for run in recorded.runs))


def _steps(run: GuestRun) -> Iterator[TakenStep]:
    for step in run.readings[0]:
        registers = (*step.registers[:-1], None if step.entry else step.registers[-1])
        yield from (TakenStep(step.program.name, index, registers, step.stack) for index in step.indexes)


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
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"{path} cannot be read: {why}", remedy="name a file that --record wrote") from error
    except (EOFError, zlib.error, LookupError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no record of a script", remedy="name a file that --record wrote") from error


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
    return Taken(content["lane"], content["script"], programs, kept, runs)
