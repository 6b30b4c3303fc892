# SPDX-License-Identifier: MIT
"""The verifier's programs as scripts, so that a kernel can be asked, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Pseudo
from harness.script.operations import (
    CreateMap,
    Duplicate,
    LoadProgram,
    MapType,
    Operation,
    Program,
    ProgramType,
    Ref,
    Script,
)
from tests.harness.model.verifier.acceptances import ACCEPTANCES
from tests.harness.model.verifier.lanes import ARRAY, ARRAY_AGAIN, HASH, NOT_A_MAP, WIDE, check
from tests.harness.model.verifier.rejections import REJECTIONS

TYPES = {
    "kprobe": ProgramType.KPROBE,
    "socket_filter": ProgramType.SOCKET_FILTER,
    "sched_cls": ProgramType.SCHED_CLS,
}
NUMBERS = {NOT_A_MAP: 0, 99: 100_099}
"""Descriptors that must be no map's: standard input is a plain file, and nobody has so many open."""
LOG_SIZE = 1 << 16


def corpus() -> tuple[Script, ...]:
    """Every program of the tables, loaded twice: in silence and with a log.

    Programs at which 4.1 oopses while it loads them are left out, on every kernel.
    """
    programs = (
        *((row.row, row.instructions, row.kind, row.gpl) for row in REJECTIONS),
        *((row.row, row.instructions, row.kind, True) for row in ACCEPTANCES),
    )
    return tuple(
        script(f"{row} {number}", instructions, kind, gpl)
        for number, (row, instructions, kind, gpl) in enumerate(programs)
        if not check(instructions, kind, gpl=gpl).oops
    )


def script(name: str, instructions: Sequence[Instruction], kind: str, gpl: bool) -> Script:
    """Makes the maps a program names, then loads it."""
    named: dict[int, int] = {}
    patched = list(instructions)
    for index in map_loads(instructions):
        number = instructions[index].imm
        if number < 0 or number in NUMBERS:
            patched[index] = Instruction(LD_IMM64, patched[index].dst, Pseudo.MAP_FD, imm=NUMBERS.get(number, number))
        else:
            named[index] = number
    program = Program(tuple(patched), tuple((index, Ref(f"map {number}")) for index, number in named.items()))
    license = "GPL" if gpl else "Proprietary"
    loads = (
        LoadProgram("silent", TYPES[kind], program, license),
        LoadProgram("logged", TYPES[kind], program, license, log_level=1, log_size=LOG_SIZE),
    )
    makers = [maker for number in dict.fromkeys(named.values()) for maker in make(number)]
    return Script(name, "a program of the verifier's tests", (*dict.fromkeys(makers), *loads))


def make(number: int) -> Iterator[Operation]:
    """The map behind a descriptor of `tests.harness.model.verifier.lanes`."""
    if number == ARRAY_AGAIN:
        yield from make(ARRAY)
        yield Duplicate(f"map {number}", Ref(f"map {ARRAY}"))
    elif number == HASH:
        yield CreateMap(f"map {number}", MapType.HASH, 16, 40, 4)
    elif number == WIDE:
        yield CreateMap(f"map {number}", MapType.HASH, 4, 0xFFFFFFF0, 1)
    else:
        yield CreateMap(f"map {number}", MapType.ARRAY, 4, 8, 1)


def map_loads(instructions: Sequence[Instruction]) -> Iterator[int]:
    """Where maps are loaded, as the kernel finds them: both halves of a constant are stepped over."""
    index = 0
    while index < len(instructions):
        if instructions[index].code == LD_IMM64:
            if instructions[index].src == Pseudo.MAP_FD:
                yield index
            index += 1
        index += 1
