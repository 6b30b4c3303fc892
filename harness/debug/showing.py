# SPDX-License-Identifier: MIT
"""A stop as text: tables on a terminal, the same rows anywhere else."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.debug.looking import Context, Sight

_GAP = 2


def show(console: Console, sight: Sight) -> None:
    """Print where the guest stopped, its registers, the program's context and the backtrace."""
    where = sight.backtrace[0] if sight.backtrace else None
    arguments = ", ".join(f"{name}={value:#x}" for name, value in sight.arguments.items())
    function = where.function if where and where.function else sight.stop.function or "??"
    _line(console, f"stopped: {function}({arguments}) at {sight.stop.pc:#x}", style="bold")
    if sight.context is not None:
        _line(console, _describe(sight.context))
    console.print(_registers(sight, console.width))
    console.print(_backtrace(sight))


def _describe(context: Context) -> str:
    probed = context.probed
    arguments = ", ".join(f"{value:#x}" for value in context.arguments)
    return f"ctx: struct pt_regs at {context.address:#x}: {probed.function}+{probed.offset:#x}({arguments})"


def _registers(sight: Sight, width: int) -> Table:
    """As many in a row as there is room for, four at most."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, _GAP, 0, 0))
    cells = [f"{name:<6} {value:#018x}" for name, value in sight.registers.items()]
    longest = max(map(len, cells), default=1)
    row = min(4, max(1, (width + _GAP) // (longest + _GAP)))
    for start in range(0, len(cells), row):
        table.add_row(*cells[start : start + row])
    return table


def _backtrace(sight: Sight) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("address")
    table.add_column("function")
    for level, frame in enumerate(sight.backtrace):
        name = f"{frame.function}+{frame.offset:#x}" if frame.function else "??"
        table.add_row(str(level), f"{frame.address:#018x}", Text(name, style="cyan"))
    return table


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
