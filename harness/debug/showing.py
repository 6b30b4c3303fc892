# SPDX-License-Identifier: MIT
"""A stop as text: tables on a terminal, the same rows elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.debug.looking import Context, Snapshot

_GAP = 2


def show(console: Console, snapshot: Snapshot) -> None:
    """Prints where the guest stopped, its registers, the program's context and the backtrace."""
    where = snapshot.backtrace[0] if snapshot.backtrace else None
    arguments = ", ".join(f"{name}={value:#x}" for name, value in snapshot.arguments.items())
    function = where.function if where and where.function else snapshot.stop.function or "??"
    _line(console, f"stopped: {function}({arguments}) at {snapshot.stop.pc:#x}", style="bold")
    if snapshot.context is not None:
        _line(console, _describe(snapshot.context))
    console.print(_registers(snapshot, console.width))
    console.print(_backtrace(snapshot))
    for level, place in enumerate(snapshot.places):
        if place.variables:
            values = ", ".join(f"{name}={value}" for name, value in place.variables.items())
            _line(console, f"variables of #{level}: {values}")


def _describe(context: Context) -> str:
    probed = context.probed
    arguments = ", ".join(f"{value:#x}" for value in context.arguments)
    return f"ctx: struct pt_regs at {context.address:#x}: {probed.function}+{probed.offset:#x}({arguments})"


def _registers(snapshot: Snapshot, width: int) -> Table:
    """Returns a table with as many in a row as fit, four at most."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, _GAP, 0, 0))
    cells = [f"{name:<6} {value:#018x}" for name, value in snapshot.registers.items()]
    longest = max(map(len, cells), default=1)
    row = min(4, max(1, (width + _GAP) // (longest + _GAP)))
    for start in range(0, len(cells), row):
        table.add_row(*cells[start : start + row])
    return table


def _backtrace(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("address")
    table.add_column("function")
    places = [place.line for place in snapshot.places] or [""] * len(snapshot.backtrace)
    if any(places):
        table.add_column("source")
    for level, (frame, line) in enumerate(zip(snapshot.backtrace, places, strict=True)):
        name = f"{frame.function}+{frame.offset:#x}" if frame.function else "??"
        cells = (str(level), f"{frame.address:#018x}", Text(name, style="cyan"), line)
        table.add_row(*cells[: len(table.columns)])
    return table


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
