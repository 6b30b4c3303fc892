# SPDX-License-Identifier: MIT
"""Unwinding by ORC, the tables that x86 kernels have for their own unwinder.

Documentation/arch/x86/orc-unwinder.rst describes them. This is `unwind_next_frame` of arch/x86/kernel/unwind_orc.c on
memory that is read through gdb. A row of the table covers the instructions from its address up to the next row's, and
says where the caller's stack pointer and frame pointer are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hil.gdb.frame import Frame
from hil.gdb.unwind.orc_format import FRAME_POINTER, Base, Kind, OrcFormat, Row, orc_format
from hil.gdb.unwind.stopped import LIMIT, Stopped, Symbols, Unreadable, memory, word
from hil.gdb.unwind.trampoline import original

# Offsets in struct pt_regs, arch/x86/include/asm/ptrace.h; the same from 4.1 to 7.2.
_BP, _IP, _CS, _SP = 32, 128, 136, 152
_SAVED = {Base.R13: 16, Base.R10: 56, Base.AX: 80, Base.DX: 96, Base.DI: 112}

# A function that every kernel has and that is compiled from C.
_PLAIN = "schedule"

_SYMBOLS = ("__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind")


@dataclass
class _State:
    """The state of the unwinder. With `interrupted`, `ip` is the next instruction, not a return address. The other
    registers are known in the `innermost` frame, and where an exception `saved` them all, at that struct pt_regs."""

    ip: int
    sp: int
    bp: int
    interrupted: bool = True
    innermost: Mapping[str, int] | None = None
    saved: int | None = None


class _Addresses(Sequence[int]):
    """The column of addresses, `count` rows at `start`: each is a 32-bit offset from its own address."""

    def __init__(self, cpu: Stopped, start: int, count: int) -> None:
        self._cpu = cpu
        self._start = start
        self._count = count
        self._known: dict[int, int] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:  # type: ignore[override]  # slices are not used
        if index not in self._known:
            at = self._start + 4 * index
            self._known[index] = at + int.from_bytes(memory(self._cpu, at, 4), "little", signed=True)
        return self._known[index]


class _Table:
    """The kernel's table, of which only the rows that are needed are read."""

    def __init__(self, cpu: Stopped, symbols: Symbols, version: str) -> None:
        start, stop, self._rows, plain = (symbols.address(name) or 0 for name in (*_SYMBOLS, _PLAIN))
        self._cpu = cpu
        self._addresses = _Addresses(cpu, start, (stop - start) // 4)
        self._format = orc_format(version, self._raw(plain))

    def __contains__(self, ip: int) -> bool:
        return self._addresses[0] <= ip < self._addresses[len(self._addresses) - 1]

    def row(self, ip: int) -> Row:
        return self._format.row(self._raw(ip))

    def _raw(self, ip: int) -> bytes:
        index = bisect_right(self._addresses, ip) - 1
        return memory(self._cpu, self._rows + OrcFormat.size * index, OrcFormat.size)


class Orc:
    """Unwinds the kernel by its tables, and modules, whose tables are not found, by frame pointers."""

    def __init__(self, symbols: Symbols, version: str) -> None:
        """Take the symbols of a kernel and its `version` ("6.1.192")."""
        self._symbols = symbols
        self._version = version

    @staticmethod
    def possible(symbols: Symbols) -> bool:
        """Whether the symbols include those of the tables, as they do with CONFIG_KALLSYMS_ALL."""
        return all(symbols.address(name) is not None for name in (*_SYMBOLS, _PLAIN))

    def frames(self, cpu: Stopped) -> Iterator[Frame]:
        table = _Table(cpu, self._symbols, self._version)
        registers = cpu.registers()
        state: _State | None = _State(registers["rip"], registers["rsp"], registers["rbp"], innermost=registers)
        for _ in range(LIMIT):
            if state is None:
                return
            try:
                text = state.ip if state.ip in table else original(cpu, self._symbols, state.ip)
                frame = self._symbols.frame(text, returns=not state.interrupted)
                yield replace(frame, address=state.ip, sp=state.sp, fp=state.bp)
                # A call that never returns may be the last instruction of its function.
                covered = text if state.interrupted else text - 1
                state = self._caller(cpu, state, table.row(covered) if covered in table else FRAME_POINTER)
            except Unreadable:
                return

    def _caller(self, cpu: Stopped, state: _State, row: Row) -> _State | None:
        """The state of the caller or of the interrupted function; None where the kernel was entered."""
        if row.kind is Kind.END or row.sp_base is Base.UNDEFINED:
            return None
        sp = self._base(cpu, state, row.sp_base)
        if row.sp_base is Base.SP_INDIRECT:
            # Since 5.12 (87ccc826bf1c) the offset is added to what is read, before to where it is read.
            sp = word(cpu, sp) + row.sp_offset
        else:
            sp += row.sp_offset
            if row.sp_base is Base.BP_INDIRECT:
                sp = word(cpu, sp)
        bp = self._frame_pointer(cpu, state, row, sp)
        if row.kind is Kind.CALL:
            return _State(word(cpu, sp - 8), sp, bp, interrupted=False)
        # The partial kind: only what the CPU itself pushes is there; sp points to it, the last five words of pt_regs.
        saved = sp if row.kind is Kind.REGS else sp - _IP
        if word(cpu, saved + _CS) & 3:
            return None  # it came from user space
        complete = row.kind is Kind.REGS
        if complete and row.bp_base is Base.UNDEFINED:
            bp = word(cpu, saved + _BP)
        return _State(word(cpu, saved + _IP), word(cpu, saved + _SP), bp, saved=saved if complete else None)

    def _base(self, cpu: Stopped, state: _State, base: Base) -> int:
        if base in (Base.SP, Base.SP_INDIRECT):
            return state.sp
        if base in (Base.BP, Base.BP_INDIRECT):
            return state.bp
        if state.innermost is not None:
            return state.innermost[base.value]
        if state.saved is None:
            raise Unreadable(f"the stack has no saved {base.value}")
        return word(cpu, state.saved + _SAVED[base])

    def _frame_pointer(self, cpu: Stopped, state: _State, row: Row, sp: int) -> int:
        if row.bp_base is Base.PREV_SP:
            return word(cpu, sp + row.bp_offset)
        if row.bp_base is Base.BP:
            return word(cpu, state.bp + row.bp_offset)
        return state.bp
