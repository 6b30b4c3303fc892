# SPDX-License-Identifier: MIT
"""Random draws for pieces of programs: registers, numbers, opcodes, and what a program may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from random import Random

from harness.isa.assemble import R0, R1, R2, R3, R4, R5, R7, R8, R9, Piece, mov64_imm
from harness.isa.opcodes import Class
from harness.isa.table import OPCODES, Opcode
from harness.model.eras import Era
from harness.model.rules import JitFault
from harness.release import Release
from harness.script.operations import ProgramType

NUMBERS = (R0, R1, R2, R3, R4, R5, R7, R8, R9)
"""The registers with plain numbers."""
LOST = (R0, R1, R2, R3, R4, R5)
"""The registers that a call clobbers."""
WORDS = (-16, -24, -32, -40)
"""Words of the stack with plain numbers; above them is the key of `harness.core_scripts.parts.element`."""
KEY = -48
"""The word of the stack that pieces use for a key."""
ARGUMENTS = (R1, R2, R3, R4, R5)
MOST_FUNCTIONS = 3
NUMBERS_AT = -56
"""The word of the stack with the address of the value of the map `numbers`."""
HELD = 8
"""The count of 64 bit numbers in it; behind them is a word for pieces to use."""
SCRATCH = 8 * HELD
NUMBERS_SIZE = SCRATCH + 8
KEYS = 4
"""Keys of the table are below."""
PACKET = bytes(range(0x11, 0x11 + 32)) * 32

EDGES = (0, 1, 2, 7, 8, 31, 32, 63, 64, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, 1 << 63)
"""Numbers around which arithmetic goes wrong, as do their negatives and neighbours."""

_OTHER_JUMPS = ("ja", "gotol", "may_goto", "call", "call_local", "call_kfunc", "exit")


@cache
def opcodes(release: Release, *kinds: Class) -> tuple[Opcode, ...]:
    """Returns a release's opcodes of some classes, except jumps that compare nothing."""
    having = (opcode for opcode in OPCODES if opcode.opcode_class in kinds and opcode.since <= release)
    return tuple(opcode for opcode in having if opcode.name not in _OTHER_JUMPS)


@dataclass(frozen=True)
class Surroundings:
    """The means of a program: its type, the era's rules, offsets of context fields with known numbers, whether it has a
    stack, its JIT's errors, and whether there are maps for tail calls."""

    type: ProgramType
    rules: Era
    fields: tuple[int, ...]
    stack: bool = True
    faults: frozenset[JitFault] = frozenset()
    tail_calls: bool = False

    @property
    def reads_packets(self) -> bool:
        return self.type == ProgramType.SOCKET_FILTER

    def has(self, since: Release) -> bool:
        """Returns whether the era has what came with a release."""
        return self.rules.release >= since


class Draw:
    """Draws what pieces are made of; the same random numbers give the same pieces. `numbers` are those that the map
    `numbers` has: the program does not know them, the generator does."""

    def __init__(self, random: Random, around: Surroundings, numbers: Sequence[int] = ()) -> None:
        self.random = random
        self.around = around
        self.numbers = tuple(numbers)
        self._labels = count()

    def register(self) -> int:
        """Returns a register with a plain number."""
        return self.random.choice(NUMBERS)

    def registers(self, count: int) -> list[int]:
        """Returns different registers with plain numbers."""
        return self.random.sample(NUMBERS, count)

    def number(self) -> int:
        """Returns a number of 64 bits, often one at an edge."""
        if self.random.random() < 0.3:
            return self.random.getrandbits(64)
        return edge(self.random)

    def imm(self) -> int:
        """Returns a number for an instruction, 32 bits with a sign."""
        return signed32(self.number())

    def renew(self, *registers: int) -> Piece:
        """Puts new constants into registers."""
        return [mov64_imm(register, self.imm()) for register in registers]

    def label(self) -> str:
        """Returns a label that no other piece has."""
        return f"label {next(self._labels)}"


def edge(random: Random) -> int:
    """Returns a number of 64 bits around which arithmetic goes wrong."""
    number = random.choice(EDGES) + random.choice((-1, 0, 0, 1))
    return random.choice((number, -number)) & ((1 << 64) - 1)


def signed32(number: int) -> int:
    """Returns the low half of a number, with its sign."""
    low = number & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
