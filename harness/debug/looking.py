# SPDX-License-Identifier: MIT
"""One stop: run a script up to the first time the kernel reaches a function, and write down what is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

from harness.abi.pt_regs import pt_regs
from harness.debug.debuggee import Debuggee
from harness.debug.hooks import arguments_of
from harness.lowering.executor import Missed, Observed
from harness.script.operations import Script
from hil.errors import BenchError, UserError
from hil.gdb import Frame, GdbRefused, GdbSession, Stop, SymbolTable
from hil.gdb.registers import register_file
from hil.gdb.unwind import unwinder
from hil.machine import Wait, speed

HIT = Wait("the script to reach the breakpoint", 120)
RESULT = Wait("the script to end after the breakpoint", 120)


class NeverReached(UserError):
    """The script ended, and the kernel was never at the breakpoint."""


@dataclass(frozen=True)
class Context:
    """A program's context: the `struct pt_regs` at `address` tells which function was `probed` where, and its
    `arguments` (only at an entry probe are they that)."""

    address: int
    probed: Frame
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class Sight:
    """What there was to see. `arguments` of the function by name, for those functions whose parameters we know."""

    stop: Stop
    registers: Mapping[str, int]
    arguments: Mapping[str, int]
    context: Context | None
    backtrace: tuple[Frame, ...]


def look(debuggee: Debuggee, script: Script, symbol: str, show: Callable[[Sight], None]) -> Observed | Missed:
    """Stop at the first time the script makes the kernel reach `symbol`, `show` that, let it go on, and give the
    guest's observations of the script, which are as if nobody had looked.

    UnknownSymbol, NeverReached; what `hil.gdb.session.GdbSession` raises when gdb or the machine ends.
    """
    symbols = debuggee.table
    with GdbSession(debuggee.machine, debuggee.symbols) as gdb:
        breakpoint = gdb.break_at(symbol)
        gdb.continue_()
        result = debuggee.start(script)
        # A script that ends first stops the guest as well, so there is one thing to wait for.
        result.add_done_callback(lambda _: _wake(gdb))
        stop = gdb.wait_for_stop(HIT)
        if stop.breakpoint != breakpoint.number:
            raise NeverReached(
                f"{script.name} ended without reaching {symbol}", remedy="choose another script or function"
            )
        show(_sight(debuggee, gdb, symbols, stop, symbol))
        gdb.delete(breakpoint)
    try:
        return result.result(RESULT.seconds * speed.scale())
    except FutureTimeout:
        raise BenchError(f"waiting for {RESULT.name}: timed out ({RESULT.seconds:.0f} nominal s)") from None


def _wake(gdb: GdbSession) -> None:
    """Stop the guest. Whoever waits for the stop also hears of a gdb or machine that is gone."""
    with contextlib.suppress(BenchError):
        gdb.interrupt()


def _sight(debuggee: Debuggee, gdb: GdbSession, symbols: SymbolTable, stop: Stop, symbol: str) -> Sight:
    registers = gdb.registers()
    values = (registers[name] for name in register_file(debuggee.lane.arch).arguments)
    arguments = dict(zip(arguments_of(symbol, debuggee.kernel.era), values, strict=False))
    context = _context(debuggee, gdb, symbols, arguments["ctx"]) if "ctx" in arguments else None
    backtrace = tuple(unwinder(debuggee.kernel, symbols).frames(gdb))
    return Sight(stop, registers, arguments, context, backtrace)


def _context(debuggee: Debuggee, gdb: GdbSession, symbols: SymbolTable, address: int) -> Context | None:
    layout = pt_regs(debuggee.lane.arch, debuggee.kernel.era)
    try:
        content = gdb.read_memory(address, layout.size)
    except GdbRefused:
        return None

    def field(offset: int) -> int:
        return int.from_bytes(content[offset : offset + 8], "little")

    return Context(
        address=address,
        probed=symbols.frame(field(layout.offsets[layout.ip]) - layout.ip_bias, returns=False),
        arguments=tuple(field(layout.argument(index)) for index in range(len(layout.arguments))),
    )
