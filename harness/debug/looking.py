# SPDX-License-Identifier: MIT
"""One stop: a script is run up to the first time the kernel reaches a function, and the kernel's state there is
recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from harness.abi.pt_regs import pt_regs
from harness.debug.debuggee import Debuggee
from harness.debug.hooks import arguments_of
from harness.lowering.executor import Missed, Observed
from harness.script.operations import Script
from hil.errors import BenchError, UserError
from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame
from hil.gdb.registers import register_file
from hil.gdb.session import GdbSession, Stop
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.choice import unwinder
from hil.machine import Wait

HIT = Wait("the script to reach the breakpoint", 120)


class NeverReached(UserError):
    """The script ended, and the kernel never reached the breakpoint."""


@dataclass(frozen=True)
class Context:
    """A program's context: the `struct pt_regs` at `address`, from which follow the `probed` function and its
    `arguments` (which are meaningful at an entry probe only)."""

    address: int
    probed: Frame
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """What debug information has of a frame: the line of the source, empty where there is none, and the values of
    parameters and local variables as gdb prints them, where it knows them."""

    line: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """The kernel's state at a stop. `arguments` are the function's by name, for functions with known parameters;
    `places` are those of the frames of the backtrace, empty without debug information."""

    stop: Stop
    registers: Mapping[str, int]
    arguments: Mapping[str, int]
    context: Context | None
    backtrace: tuple[Frame, ...]
    places: tuple[Place, ...] = ()


def look(debuggee: Debuggee, script: Script, symbol: str, show: Callable[[Snapshot], None]) -> Observed | Missed:
    """Stops at the first time the script makes the kernel reach `symbol`, passes its state to `show`, lets it go on,
    and returns the guest's observations of the script, which are the same as without the stop.

    Raises UnknownSymbol, NeverReached, and what `hil.gdb.session.GdbSession` raises when gdb or the machine ends.
    """
    symbols = debuggee.table
    with ExitStack() as stack:
        with GdbSession(debuggee.machine, *debuggee.for_gdb) as gdb:
            breakpoint = gdb.break_at(symbol)
            gdb.continue_()
            result = debuggee.start(script)
            stack.enter_context(debuggee.finishing(result))
            # A script that ends first stops the guest as well, so there is one thing to wait for.
            result.add_done_callback(lambda _: _wake(gdb))
            stop = gdb.wait_for_stop(HIT)
            if stop.breakpoint != breakpoint.number:
                raise NeverReached(
                    f"{script.name} ended without reaching {symbol}", remedy="choose another script or function"
                )
            show(_snapshot(debuggee, gdb, symbols, stop, symbol))
            gdb.delete(breakpoint)
        return debuggee.finish(result)


def _wake(gdb: GdbSession) -> None:
    """Stops the guest. A wait for the stop also ends when gdb or the machine is gone."""
    with contextlib.suppress(BenchError):
        gdb.interrupt()


def _snapshot(debuggee: Debuggee, gdb: GdbSession, symbols: SymbolTable, stop: Stop, symbol: str) -> Snapshot:
    registers = gdb.registers()
    values = (registers[name] for name in register_file(debuggee.lane.arch).arguments)
    arguments = dict(zip(arguments_of(symbol, debuggee.kernel.era), values, strict=False))
    context = _context(debuggee, gdb, symbols, arguments["ctx"]) if "ctx" in arguments else None
    backtrace = tuple(unwinder(debuggee.kernel, symbols).frames(gdb))
    return Snapshot(stop, registers, arguments, context, backtrace, _places(gdb, backtrace) if debuggee.typed else ())


def _places(gdb: GdbSession, backtrace: Sequence[Frame]) -> tuple[Place, ...]:
    """Returns what debug information has of each frame. gdb's own frames, of which it knows variables, end where the
    kernel has code that no compiler wrote; functions that are part of their callers are frames of their own there."""
    levels: dict[int, int] = {}
    for level, frame in enumerate(gdb.backtrace()):
        levels[frame.address] = level
    return tuple(
        Place(
            gdb.source_line(frame.address - bool(number)),
            gdb.variables(levels[frame.address]) if frame.address in levels else {},
        )
        for number, frame in enumerate(backtrace)
    )


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
