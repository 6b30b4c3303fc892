# SPDX-License-Identifier: MIT
"""The unwinder of `hil.gdb.unwind`, registered with gdb, so that `backtrace` is as whole as that of `hil debug`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from harness.debug.inside.data import SessionData
from harness.debug.inside.guest import M64, memory, symbol
from hil.errors import HilError
from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame
from hil.gdb.registers import RegisterFile, register_file
from hil.gdb.unwind import choice
from hil.gdb.unwind.stopped import LIMIT
from hil.gdb.unwind.stopped import Unwinder as Method

GDBS_OWN = "gdb"
_FLAGS = ("eflags", "cpsr")
"""Registers that gdb has no numbers for."""


def register(data: SessionData) -> KernelUnwinder | None:
    """Registers the unwinder that fits a kernel, and returns it; None where that is gdb's own. Backtraces end in any
    case."""
    gdb.execute(f"set backtrace limit {LIMIT}")
    # A symbol file of ours has no entry point, which gdb takes for that of any function without a symbol.
    gdb.execute("set backtrace past-entry on")
    known = choice.Facts.of(data.arch, data.version, Path(data.config), Names())
    method = choice.method(known)
    if method.name != GDBS_OWN:
        found = KernelUnwinder(method.make(known), register_file(data.arch))
        register_unwinder(None, found, replace=True)
        return found
    return None


@dataclass(frozen=True)
class _Symbol:
    name: str
    address: int


class Names:
    """The symbols that gdb has; a `hil.gdb.unwind.stopped.Symbols`."""

    def __init__(self) -> None:
        self._functions: dict[int, _Symbol | None] = {}

    def address(self, name: str) -> int | None:
        return symbol(name)

    def function_at(self, address: int) -> _Symbol | None:
        if address not in self._functions:
            self._functions[address] = _function(address)
        return self._functions[address]

    def frame(self, address: int, *, returns: bool) -> Frame:
        found = self.function_at(address - 1 if returns else address)
        return Frame(address, found.name, address - found.address) if found else Frame(address)


def _function(address: int) -> _Symbol | None:
    text = gdb.execute(f"info symbol {address:#x}", to_string=True) or ""
    name, _, offset = text.partition(" in section ")[0].partition(" + ")
    if " in section " not in text:
        return None
    return _Symbol(name.strip(), address - int(offset or "0"))


class _Cpu:
    """The innermost frame as a `hil.gdb.unwind.stopped.Stopped`."""

    def __init__(self, registers: Mapping[str, int]) -> None:
        self._registers = registers

    def registers(self) -> Mapping[str, int]:
        return self._registers

    def read_memory(self, address: int, size: int) -> bytes:
        try:
            return memory(address, size)
        except HilError as error:
            raise GdbRefused(error.what) from None

    def backtrace(self) -> tuple[Frame, ...]:
        raise NotImplementedError("gdb's own frames are what is to be replaced")


@dataclass(frozen=True)
class _Id:
    """What tells frames apart: they must lie further and further up. gdb takes values of its own."""

    sp: gdb.Value
    pc: gdb.Value


class _Chain:
    """The frames of one stop, unwound as far as gdb has asked."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._rest = frames
        self._frames: list[Frame] = []
        self._ids: list[int] = []

    def frame(self, number: int) -> Frame | None:
        while len(self._frames) <= number:
            found = next(self._rest, None)
            if found is None:
                return None
            self._frames.append(found)
            self._ids.append(max(found.sp, self._ids[-1] + 1 if self._ids else 0))
        return self._frames[number]

    def id(self, number: int, kind: gdb.Type) -> _Id:
        return _Id(_value(self._ids[number], kind), _value(self._frames[number].address, kind))

    def find(self, pc: int, sp: int, fp: int) -> int | None:
        """Returns the number of a frame. Where frame pointers are followed, the stack pointer is known roughly only."""
        found, number = [], 0
        while (frame := self.frame(number)) is not None and frame.sp <= sp:
            if frame.address == pc and frame.sp == sp:
                return number
            if frame.address == pc and frame.fp == fp:
                found.append(number)
            number += 1
        return found[0] if found else None


class KernelUnwinder(Unwinder):
    """Unwinds the kernel's frames for gdb."""

    def __init__(self, method: Method, names: RegisterFile) -> None:
        super().__init__("hil")
        self._method = method
        self._names = names
        self._chain = _Chain(iter(()))
        gdb.events.cont.connect(self._forget)
        gdb.events.memory_changed.connect(self._forget)
        gdb.events.register_changed.connect(self._forget)

    def _forget(self, _: object) -> None:
        self._chain = _Chain(iter(()))

    def function(self, pc: int, sp: int) -> str | None:
        """Returns the function of a frame that was unwound; None when there is none."""
        number = self._chain.find(pc, sp, 0)
        frame = None if number is None else self._chain.frame(number)
        return frame.function if frame else None

    def __call__(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        pc, sp, fp = (_read(pending_frame, name) for name in (self._names.pc, self._names.sp, self._names.fp))
        if not pc >> 63:
            return None  # user space
        number = self._chain.find(pc, sp, fp)
        if number is None:
            if pending_frame.level():
                return None  # a frame of gdb's own, whose registers are not those of the CPU
            registers = {name: _read(pending_frame, name) for name in self._names.general if name not in _FLAGS}
            self._chain = _Chain(self._method.frames(_Cpu(registers)))
            number = 0
        if self._chain.frame(number) is None or _described(pc - bool(number)):
            return None
        caller = self._chain.frame(number + 1)
        kind = pending_frame.read_register(self._names.sp).type
        info = pending_frame.create_unwind_info(self._chain.id(number, kind))
        values = (caller.address, caller.sp, caller.fp) if caller else (0, sp, 0)
        if caller is None and self._names.link:  # which gdb would ask for, to go on from there
            info.add_saved_register(self._names.link, _value(0, pending_frame.read_register(self._names.link).type))
        for name, value in zip((self._names.pc, self._names.sp, self._names.fp), values, strict=True):
            info.add_saved_register(name, _value(value, pending_frame.read_register(name).type))
        return info


def _described(pc: int) -> bool:
    """Returns whether gdb knows a function of C there from debug information. Then its own unwinder, which knows where
    each register was saved, gives the values of local variables."""
    block = gdb.block_for_pc(pc & M64)
    while block is not None and block.function is None:
        block = block.superblock
    return block is not None


def _read(pending: gdb.PendingFrame, name: str) -> int:
    return int(pending.read_register(name).cast(gdb.lookup_type("unsigned long"))) & M64


def _value(number: int, kind: gdb.Type) -> gdb.Value:
    return gdb.Value(number - (number >> 63 << 64)).cast(kind)
