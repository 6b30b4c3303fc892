# SPDX-License-Identifier: MIT
"""The output of commands: a terminal, or a log or pipe, which has lines of any length."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hil.printable import printable

_UNLIMITED = 1 << 20
"""The number of columns of an output that is not a screen."""


def console(*, stderr: bool = False) -> Console:
    """A console without markup; where it is not a screen, no line is wrapped or cut."""
    made = Console(markup=False, stderr=stderr)
    if not made.file.isatty():
        made.width = _UNLIMITED
    return made


def interactive(on: Console) -> bool:
    """Whether output can be overwritten. rich's own `is_terminal` is also true for a log with colours (FORCE_COLOR), in
    which control sequences of the cursor do not belong."""
    return on.file.isatty() and not on.is_dumb_terminal


def print_table(
    on: Console, headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Collection[str] = ()
) -> None:
    """Print `rows` in columns, those in `right` flush right; or, where the screen is too narrow, each row as a
    paragraph: its first cell, and below it the others, each after its heading. No cell is ever cut."""
    cells = [[Text(printable(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", no_wrap=True)
    for row in cells:
        table.add_row(*row)
    if on.measure(table, options=on.options.update_width(_UNLIMITED)).maximum <= on.width:
        on.print(table, highlight=False)
        return
    for first, *others in cells:
        on.print(Text.assemble(first, style="bold"), soft_wrap=True, highlight=False)
        for heading, cell in zip(headings[1:], others, strict=True):
            if cell:
                on.print(Text.assemble(f"    {heading}: ", cell), soft_wrap=True, highlight=False)
