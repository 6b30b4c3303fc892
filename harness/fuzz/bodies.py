# SPDX-License-Identifier: MIT
"""Programs of generated scripts: short ones, which do one or two things to the script's maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import count_hits
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.isa.opcodes import Size
from harness.model.eras import Era
from harness.script.operations import MapType, Program
from harness.script.triggers import UNKNOWN_PRCTL


@dataclass(frozen=True)
class Magic:
    """The mark of a script's own call of a function: its argument `index` is `value`."""

    arguments: tuple[int, ...]
    index: int
    value: int
    size: Size = DW


MAGIC = {
    "cap_task_prctl": Magic((UNKNOWN_PRCTL,), 0, UNKNOWN_PRCTL, W),
    "null_lseek": Magic((0x1234567, 0), 1, 0x1234567),
    "write_null": Magic((0x10000, 0x321), 2, 0x321),
    "find_task_by_vpid": Magic((0x3FFFFFFF,), 0, 0x3FFFFFFF, W),
}
SYMBOLS = tuple(MAGIC)


@dataclass(frozen=True)
class Bodies:
    """`maps` are the types of maps by name."""

    random: Random
    era: Era
    registers: PtRegs
    maps: Mapping[str, int]

    def kprobe(self, symbol: str, *, counts: bool = False) -> Program:
        """Returns a program that ignores calls of others; it may be attached elsewhere all the same."""
        magic = MAGIC[symbol]
        own = count_hits("map_0") if counts else (self._any(), self._verdict())
        mine = (ldx(magic.size, R0, R6, self.registers.argument(magic.index)), jeq_imm(R0, magic.value, "ours"))
        return program(mov64_reg(R6, R1), *mine, mov64_imm(R0, 0), exit_(), "ours", own, exit_())

    def filter(self) -> Program:
        """A socket filter."""
        body = self.random.choice((self._count, self._update, self._nothing))
        return program(mov64_reg(R6, R1), body(), mov64_imm(R0, self.random.choice((0, 5, 1000))), exit_())

    def _any(self) -> Piece:
        bodies: list[Callable[[], Piece]] = [self._count, self._count, self._update, self._print, self._undecided]
        if not self.era.verifier.follows_missing_helpers:
            bodies += [self._output, self._ring_buffer, self._tail_call]
        return self.random.choice(bodies)()

    def _verdict(self) -> Piece:
        if self.random.random() < 0.1:
            return call(Helper.GET_PRANDOM_U32)
        return mov64_imm(R0, self.random.choice((1, 1, 0, 2)))

    def _map(self, *types: int) -> str:
        right = [name for name, type in self.maps.items() if type in types]
        return self.random.choice(right or list(self.maps))

    def _count(self) -> Piece:
        return count_hits(self._map(MapType.ARRAY, MapType.PERCPU_ARRAY))

    def _update(self) -> Piece:
        put = (st(W, R10, -4, self.random.randrange(3)), st(DW, R10, -16, self.random.randrange(100)))
        registers = (mov64_reg(R2, R10), add64_imm(R2, -4), mov64_reg(R3, R10), add64_imm(R3, -16), mov64_imm(R4, 0))
        of = self._map(MapType.ARRAY, MapType.HASH, MapType.LRU_HASH)
        return (put, registers, ld_map(R1, of), call(Helper.MAP_UPDATE_ELEM))

    def _nothing(self) -> Piece:
        return ()

    def _print(self) -> Piece:
        text = (st(W, R10, -4, 0x000A6968), mov64_reg(R1, R10), add64_imm(R1, -4), mov64_imm(R2, 4))
        return (text, call(Helper.TRACE_PRINTK))

    def _undecided(self) -> Piece:
        """Counts or not, depending on an unknown register."""
        field = self.registers.offsets[self.registers.sp]
        return (ldx(DW, R2, R6, field), jeq_imm(R2, 5, "end"), self._count(), "end")

    def _output(self) -> Piece:
        data = (st(DW, R10, -8, 77), mov64_reg(R4, R10), add64_imm(R4, -8), mov64_imm(R5, 8))
        where = (mov64_reg(R1, R6), ld_map(R2, self._map(MapType.PERF_EVENT_ARRAY)), mov64_imm(R3, 0))
        return (data, where, call(Helper.PERF_EVENT_OUTPUT))

    def _ring_buffer(self) -> Piece:
        data = (st(DW, R10, -8, 77), mov64_reg(R2, R10), add64_imm(R2, -8), mov64_imm(R3, 8), mov64_imm(R4, 0))
        return (data, ld_map(R1, self._map(MapType.RINGBUF)), call(Helper.RINGBUF_OUTPUT))

    def _tail_call(self) -> Piece:
        where = (mov64_reg(R1, R6), ld_map(R2, self._map(MapType.PROG_ARRAY)), mov64_imm(R3, 0))
        return (where, call(Helper.TAIL_CALL))
