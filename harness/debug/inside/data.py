# SPDX-License-Identifier: MIT
"""What the commands have to know, as JSON: `hil` writes it, gdb reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MapData:
    """A map of the script; `kind` is its type's name."""

    name: str
    kind: str
    key_size: int
    value_size: int
    max_entries: int


@dataclass(frozen=True)
class ProgramData:
    """A program of the script: its instructions in hexadecimal, their text by number, the lines of the source they come
    from where those are known, its maps in the order in which it names them, and what it is attached to."""

    name: str
    kind: int
    kind_name: str
    code: str
    text: Sequence[tuple[int, str]]
    source: Sequence[tuple[int, str]] = ()
    maps: Sequence[str] = ()
    attached: Sequence[str] = ()


@dataclass(frozen=True)
class ValueData:
    """A value in the model: the number `value`, of which the bits in `mask` are not known; or, with a `region`, which
    is the number of one, a pointer that is `value` bytes into it. `text` is what to show."""

    text: str
    value: int = 0
    mask: int = 0
    region: int | None = None


@dataclass(frozen=True)
class StepData:
    """A step of the model: the numbers of the program and of the instruction, R0 to R10 before it, and
    the known bytes of the stack, in hexadecimal by their distance from R10."""

    program: int
    pc: int
    registers: Sequence[ValueData]
    stack: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class RunData:
    """A run of a program in the model: the program's number, its steps, and why the model could not go on."""

    program: int
    steps: Sequence[StepData]
    stop: str = ""


@dataclass(frozen=True)
class InterpreterData:
    """The interpreter (`harness.lockstep.dispatch`): the address of its function, the label of each opcode, the names
    of the machine registers with the instruction's address and with the address `offset` before R0. With
    `given_context`, its first argument is the program's context, otherwise the array of registers."""

    function: int
    labels: Sequence[int]
    instruction: str
    array: str
    offset: int
    given_context: bool = False


@dataclass(frozen=True)
class LoadData:
    """Where the kernel comes by with each program it loaded, with `struct bpf_prog` in the register `program`. A kernel
    that knows no lines `tells_nothing`; there the register `ends` has its compiler's array of where each instruction
    ends."""

    place: int
    program: str
    tells_nothing: bool = False
    ends: str = ""


@dataclass(frozen=True)
class SessionData:
    """All of it. `registers` are those of R0 to R10 under a JIT; `private` is that of R10 in functions with a stack of
    their own for each CPU, "" where there are none. `offsets` are those of fields in the kernel's structures, as
    `struct.field`; where they lack one, gdb must know the type. `model` says why there are no `runs`. `past` is the
    socket at which `hil` tells what was recorded; "" where nothing is."""

    lane: str
    arch: str
    era: str
    version: str
    config: str
    compiled: bool
    registers: Sequence[str]
    private: str
    load: LoadData
    unload: int
    hook: str
    hook_arguments: Sequence[str]
    programs: Sequence[ProgramData]
    maps: Sequence[MapData]
    interpreter: InterpreterData | None = None
    offsets: Mapping[str, int] = field(default_factory=dict)
    runs: Sequence[RunData] = ()
    model: str = ""
    past: str = ""


@dataclass(frozen=True)
class CodeData:
    """A loaded program, as `harness.lowering.watch.LoadedCode`; `number` is that of the script's program, bytes are in
    hexadecimal."""

    number: int
    translated: str
    lines: Sequence[tuple[int, int]]
    native: Sequence[int]
    image: str
    functions: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Asked:
    """A question at the socket `past`: what was there before the instruction executed as the `back`-th last one."""

    back: int
    programs: Sequence[CodeData]

    @staticmethod
    def of(raw: dict[str, Any]) -> Asked:
        """Returns a question that was JSON."""
        return Asked(raw["back"], [CodeData(**one) for one in raw["programs"]])


@dataclass(frozen=True)
class Answer:
    """Its answer: lines of text; or what is wrong, and the remedy."""

    lines: Sequence[str] = ()
    what: str = ""
    remedy: str = ""


def write(file: Path, data: SessionData) -> None:
    """Writes the data to a file."""
    file.write_text(json.dumps(asdict(data)), encoding="utf-8")


def read(file: Path) -> SessionData:
    """Returns the data in a file that `write` wrote."""
    raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    raw["load"] = LoadData(**raw["load"])
    raw["programs"] = [ProgramData(**one) for one in raw["programs"]]
    raw["maps"] = [MapData(**one) for one in raw["maps"]]
    raw["interpreter"] = raw["interpreter"] and InterpreterData(**raw["interpreter"])
    raw["runs"] = [RunData(one["program"], [_step(step) for step in one["steps"]], one["stop"]) for one in raw["runs"]]
    return SessionData(**raw)


def _step(raw: dict[str, Any]) -> StepData:
    return StepData(raw["program"], raw["pc"], [ValueData(**one) for one in raw["registers"]], raw["stack"])
