# SPDX-License-Identifier: MIT
"""What the recorded runs showed of maps: where their values are, and the bytes of these."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, R1, R5, REGISTERS, STACK_SIZE, Atomic, Class, Helper, Mode
from harness.lockstep.effects import Registers
from harness.lockstep.inside import CALL
from harness.lockstep.taken import Taken, TakenStep
from harness.model.value import M64

_ATOMICS: Mapping[int, Callable[[int, int], int]] = {
    Atomic.ADD: operator.add,
    Atomic.OR: operator.or_,
    Atomic.AND: operator.and_,
    Atomic.XOR: operator.xor,
}
_READERS = frozenset({Helper.PERF_EVENT_OUTPUT, Helper.TRACE_PRINTK, Helper.TAIL_CALL})
"""Helpers that write to no memory that they are given."""
_Place = tuple[str, bytes]
"""A map's name and a key."""


class Seen:
    """What the runs showed of maps until now: their addresses, those of their values, and the bytes of these."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._maps: dict[int, str] = {}
        self._values: dict[int, _Place] = {}
        self._bytes: dict[_Place, list[int | None]] = {}
        self._arrays = set(taken.arrays)
        self._left: dict[_Place, list[int | None]] = {}
        """What earlier runs left in such arrays."""

    def end_run(self) -> None:
        """Go on with the next run, which meets maps anew; arrays that nothing else writes are as this one left them."""
        self._left |= {place: value for place, value in self._bytes.items() if place[0] in self._arrays}
        self._maps, self._values, self._bytes = {}, {}, {}

    def entries(self) -> Iterator[tuple[str, bytes, tuple[int | None, ...]]]:
        """Yields the map, the key and the value of each entry that the present run met."""
        for (name, key), value in sorted(self._bytes.items()):
            yield name, key, tuple(value)

    def names(self, registers: Registers) -> dict[int, str]:
        """Returns what registers point to, by their numbers."""
        found = {}
        for number, value in enumerate(registers):
            if value is None:
                continue
            place = self._place(value)
            if value in self._maps:
                found[number] = f"map {self._maps[value]}"
            elif place is not None:
                (name, key), offset = place
                found[number] = f"map {name}[{key.hex()}]+{offset}"
            elif number < REGISTERS - 1 and (offset_in := _in_frame(value, registers)) is not None:
                found[number] = f"r10{offset_in}" if offset_in else "r10"
        return found

    def follow(self, step: TakenStep, following: TakenStep) -> None:
        """Learn from an executed instruction, by the registers behind it."""
        one = self._taken.programs[step.program][step.index]
        before, after = step.registers, following.registers
        if one.code == LD_IMM64:
            name = self._taken.maps.get(step.program, {}).get(step.index)
            address = after[one.dst]
            if name is not None and address is not None and following.program == step.program:
                self._maps[address] = name
        elif one.code == CALL and one.src == 0:
            self._call(one.imm, step, after[0])
        elif one.opcode_class is Class.LDX and one.mode in (Mode.MEM, Mode.MEMSX):
            self._keep(one, before[one.src], after[one.dst])
        elif one.opcode_class is Class.STX and one.mode == Mode.MEM:
            self._keep(one, before[one.dst], before[one.src])
        elif one.opcode_class is Class.ST and one.mode == Mode.MEM:
            self._keep(one, before[one.dst], one.imm & M64)
        elif one.opcode_class is Class.STX and one.imm == Atomic.LOAD_ACQUIRE:
            self._keep(one, before[one.src], after[one.dst])
        elif one.opcode_class is Class.STX:
            self._keep(one, before[one.dst], self._atomic(one, before, after))

    def _call(self, helper: int, step: TakenStep, result: int | None) -> None:
        name = self._maps.get(step.registers[1] or 0)
        key_size, value_size = self._taken.sizes.get(name or "", (0, 0))
        key = _stack_bytes(step, step.registers[2], key_size)
        if helper == Helper.MAP_LOOKUP_ELEM:
            if name is not None and key is not None and result:
                self._meet((name, key), value_size)
                self._values[result] = name, key
        elif name is None or key is None or helper not in (Helper.MAP_UPDATE_ELEM, Helper.MAP_DELETE_ELEM):
            self._forget(helper, step.registers)
        elif helper == Helper.MAP_UPDATE_ELEM and result == 0:
            value = _stack_bytes(step, step.registers[3], value_size)
            self._bytes[name, key] = [None] * value_size if value is None else list(value)
        elif helper == Helper.MAP_DELETE_ELEM and result == 0:
            self._bytes.pop((name, key), None)
            self._values = {address: place for address, place in self._values.items() if place != (name, key)}

    def _meet(self, place: _Place, size: int) -> None:
        """Takes an entry whose address the run got: of an array that only the runs write, as they left it."""
        if place not in self._bytes:
            begin: list[int | None] = [0 if place[0] in self._arrays else None] * size
            self._bytes[place] = self._left.get(place, begin)

    def _forget(self, helper: int, registers: Registers) -> None:
        """Forgets what a helper may have written to: maps and values of maps that it was given."""
        for address in registers[R1 : R5 + 1] if helper not in _READERS else ():
            if address is None:
                continue
            place = self._place(address)
            if place is not None:
                known, offset = self._bytes[place[0]], place[1]
                known[offset:] = [None] * (len(known) - offset)
            if address in self._maps:
                name = self._maps[address]
                self._arrays.discard(name)
                self._bytes |= {one: [None] * len(value) for one, value in self._bytes.items() if one[0] == name}
                self._left = {one: value for one, value in self._left.items() if one[0] != name}

    def _atomic(self, one: Instruction, before: Registers, after: Registers) -> int | None:
        """Returns what an atomic instruction leaves in memory, where what was there is known, or does not matter."""
        source = before[one.src]
        if source is None:
            return None
        if one.imm in (Atomic.XCHG, Atomic.STORE_RELEASE):
            return source
        if one.imm == Atomic.CMPXCHG:
            old, wanted = after[0], before[0]
            if old is None or wanted is None:
                return None
            return source if (old ^ wanted) & ((1 << 8 * one.size.nbytes) - 1) == 0 else old
        kind = one.imm & ~Atomic.FETCH
        old = after[one.src] if one.imm & Atomic.FETCH else self._known(one, before[one.dst])
        if old is None or kind not in _ATOMICS:
            return None
        return _ATOMICS[kind](old, source)

    def _known(self, one: Instruction, base: int | None) -> int | None:
        place = None if base is None else self._place((base + one.off) & M64)
        if place is None:
            return None
        known = [byte for byte in self._bytes[place[0]][place[1] : place[1] + one.size.nbytes] if byte is not None]
        return int.from_bytes(bytes(known), "little") if len(known) == one.size.nbytes else None

    def _keep(self, one: Instruction, base: int | None, value: int | None) -> None:
        """Keeps what an access of the size of an instruction shows of a map's value; None for what is not known."""
        place = None if base is None else self._place((base + one.off) & M64)
        if place is None:
            return
        known, offset = self._bytes[place[0]], place[1]
        for number in range(one.size.nbytes):
            if offset + number < len(known):
                known[offset + number] = None if value is None else value >> 8 * number & 0xFF

    def _place(self, address: int) -> tuple[_Place, int] | None:
        """Returns the entry whose value has an address, and the offset in it."""
        for begin, entry in self._values.items():
            if entry in self._bytes and begin <= address < begin + max(1, len(self._bytes[entry])):
                return entry, address - begin
        return None


def _in_frame(value: int, registers: Registers) -> int | None:
    top = registers[-1]
    if top is None or not 0 <= top - value <= STACK_SIZE:
        return None
    return value - top


def _stack_bytes(step: TakenStep, address: int | None, size: int) -> bytes | None:
    """Returns bytes of the frame's stack; None when they are elsewhere."""
    top = step.registers[-1]
    if address is None or top is None or step.stack is None or not size:
        return None
    place = address - top + STACK_SIZE
    return step.stack[place : place + size] if 0 <= place <= STACK_SIZE - size else None
