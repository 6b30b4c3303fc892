# SPDX-License-Identifier: MIT
"""Loads and stores: kernel/bpf/core.c, __bpf_prog_run(), labels LD*, ST* and STX*. Memory is little endian."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Atomic, Pseudo, Size
from harness.model.instructions.jumps import leave
from harness.model.memory import load, store
from harness.model.rules import FunctionFault
from harness.model.signed import sign_extend
from harness.model.state import GARBAGE, Handler, State
from harness.model.unpredictable import Unpredictable
from harness.model.value import M32, M64, Pointer, Value, exactly
from harness.script.operations import MapType
from harness.script.reason import Gap


def accesses() -> Iterator[tuple[str, Handler]]:
    """Yields the name and the function of every load and store."""
    for size in Size:
        letter, nbytes = size.name.lower(), size.nbytes
        yield f"ldx_{letter}", _load(nbytes)
        yield f"ldxsx_{letter}", _load_extended(nbytes)
        yield f"st_{letter}", _store_constant(nbytes)
        yield f"stx_{letter}", _store_register(nbytes)
        # Ordering shows on several CPUs only; to one program they are plain accesses.
        yield f"load_acquire_{letter}", _load(nbytes)
        yield f"store_release_{letter}", _store_register(nbytes)
        yield f"ld_abs_{letter}", _load_packet(nbytes, indirect=False)
        yield f"ld_ind_{letter}", _load_packet(nbytes, indirect=True)
    for size in (Size.W, Size.DW):
        yield from _atomics(size.name.lower(), size.nbytes)
    yield "ld_imm64", load_constant
    yield f"ld_{Pseudo.MAP_FD.name.lower()}", load_map
    yield f"ld_{Pseudo.MAP_VALUE.name.lower()}", load_map_value


def _load(nbytes: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        state.registers[instruction.dst] = load(state.registers[instruction.src], instruction.off, nbytes)

    return execute


def _load_extended(nbytes: int) -> Handler:
    """Loads with sign extension, since 6.6."""

    def execute(state: State, instruction: Instruction) -> None:
        value = load(state.registers[instruction.src], instruction.off, nbytes)
        state.registers[instruction.dst] = sign_extend(value, 8 * nbytes)

    return execute


def _store_constant(nbytes: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        store(state.registers[instruction.dst], instruction.off, nbytes, instruction.imm & M64)

    return execute


def _store_register(nbytes: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        store(state.registers[instruction.dst], instruction.off, nbytes, state.registers[instruction.src])

    return execute


def _load_packet(nbytes: int, *, indirect: bool) -> Handler:
    """Reads R0 from the packet in network order; a location outside of it ends the function or the program with 0:
    bpf_gen_ld_abs(), net/core/filter.c, since there are functions. Clobbers R1 to R5."""

    def execute(state: State, instruction: Instruction) -> Value | None:
        offset = instruction.imm
        if indirect:
            offset = exactly(state.registers[instruction.src] & M32) + offset
            offset = (offset & M32) - (1 << 32) if offset & 1 << 31 else offset & M32
        if offset < 0 or state.packet is None:
            raise Unpredictable("the model knows no headers before the packet's data")
        if offset + nbytes > len(state.packet):
            if state.depth and FunctionFault.PACKET_RESULT_REMOVED in state.helper.faults_of_functions:
                state.astray = True
            return leave(state, 0)
        state.registers[0] = int.from_bytes(state.packet[offset : offset + nbytes], "big")
        state.registers[1:6] = [GARBAGE] * 5
        return None

    return execute


def _atomics(letter: str, nbytes: int) -> Iterator[tuple[str, Handler]]:
    mask = M64 if nbytes == 8 else M32
    operations: dict[Atomic, Callable[[Value, Value], Value]] = {
        Atomic.ADD: lambda old, operand: old + operand,
        Atomic.OR: lambda old, operand: old | operand,
        Atomic.AND: lambda old, operand: old & operand,
        Atomic.XOR: lambda old, operand: old ^ operand,
    }
    for kind, operation in operations.items():
        name = kind.name.lower()
        yield f"atomic_{name}_{letter}", _modify(nbytes, mask, operation, fetch=False)
        yield f"atomic_fetch_{name}_{letter}", _modify(nbytes, mask, operation, fetch=True)
    yield f"atomic_xchg_{letter}", _modify(nbytes, mask, lambda _, operand: operand, fetch=True)
    yield f"atomic_cmpxchg_{letter}", _compare_and_exchange(nbytes, mask)


def _modify(nbytes: int, mask: int, operation: Callable[[Value, Value], Value], *, fetch: bool) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        address, operand = state.registers[instruction.dst], state.registers[instruction.src]
        old = load(address, instruction.off, nbytes)
        store(address, instruction.off, nbytes, operation(old, operand & mask) & mask)
        if fetch:
            state.registers[instruction.src] = old

    return execute


def _compare_and_exchange(nbytes: int, mask: int) -> Handler:
    """Compares with R0, which takes the old value; the 32 bit form clears its high half either way."""

    def execute(state: State, instruction: Instruction) -> None:
        address = state.registers[instruction.dst]
        old = load(address, instruction.off, nbytes)
        if old == state.registers[0] & mask:
            store(address, instruction.off, nbytes, state.registers[instruction.src] & mask)
        state.registers[0] = old

    return execute


def load_constant(state: State, instruction: Instruction) -> None:
    """Executes LD_IMM64: the low half is here, the high half in the following instruction, which is skipped."""
    high = state.instructions[state.pc].imm
    state.registers[instruction.dst] = (instruction.imm & M32) | (high & M32) << 32
    state.pc += 1


def load_map(state: State, instruction: Instruction) -> None:
    """Executes LD_IMM64 of a map: the address of the kernel's `struct bpf_map`."""
    state.registers[instruction.dst] = Pointer(state.maps[state.pc - 1].handle)
    state.pc += 1


def load_map_value(state: State, instruction: Instruction) -> None:
    """Executes LD_IMM64 of global data, an array's only value: the address of a byte of it, since 5.2;
    array_map_direct_value_addr(), kernel/bpf/arraymap.c."""
    map, offset = state.maps[state.pc - 1], state.instructions[state.pc].imm & M32
    value = map.lookup(bytes(map.key_size))
    if value is None or map.type is not MapType.ARRAY or offset >= map.value_size:
        raise Unpredictable(f"the address of byte {offset} of a map's value", Gap.MAPS)
    state.registers[instruction.dst] = Pointer(value, offset)
    state.pc += 1
