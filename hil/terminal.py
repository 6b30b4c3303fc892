# SPDX-License-Identifier: MIT
"""The output of commands: a terminal, or a log or pipe, which has lines of any length."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from hil.printable import printable

_NARROWEST = 10
"""The columns of a screen that a folded column of a table has at least."""
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
    on: Console,
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Collection[str] = (),
    folding: Collection[str] = (),
) -> None:
    """Print `rows` in columns, those in `right` flush right. Where the screen is too narrow, columns in `folding` have
    several lines in a row; where it is too narrow for that, each row is a paragraph: its first cell, and below it the
    others, each after its heading. No cell is ever cut."""
    cells = [[Text(printable(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]
    table = _table(headings, cells, right, {})
    if on.measure(table, options=on.options.update_width(_UNLIMITED)).maximum <= on.width:
        on.print(table, highlight=False)
        return
    if widths := _folded(on.width, headings, cells, folding):
        on.print(_table(headings, cells, right, widths), highlight=False)
        return
    for first, *others in cells:
        on.print(Text.assemble(first, style="bold"), soft_wrap=True, highlight=False)
        for heading, cell in zip(headings[1:], others, strict=True):
            if cell:
                on.print(Text.assemble(f"    {heading}: ", cell), soft_wrap=True, highlight=False)


def _table(
    headings: Sequence[str], cells: Sequence[Sequence[Text]], right: Collection[str], widths: Mapping[str, int]
) -> Table:
    """Returns the cells as a table; the columns that have one of the `widths` are folded."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        width = widths.get(heading)
        justify: JustifyMethod = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, no_wrap=width is None, overflow="fold", width=width)
    for row in cells:
        table.add_row(*row)
    return table


def _folded(
    screen: int, headings: Sequence[str], cells: Sequence[Sequence[Text]], folding: Collection[str]
) -> Mapping[str, int]:
    """Returns how wide the `folding` columns of a table can be on a screen; nothing where they would be too narrow."""
    widths = {
        heading: max(map(cell_len, (heading, *(row[at].plain for row in cells)))) for at, heading in enumerate(headings)
    }
    room = screen - 2 * (len(headings) - 1) - sum(widths[heading] for heading in headings if heading not in folding)
    # The narrowest ones first: what they leave is for the others.
    folded, shares = sorted(folding, key=widths.__getitem__), {}
    for number, heading in enumerate(folded):
        share = min(widths[heading], room // (len(folded) - number))
        if share < min(widths[heading], _NARROWEST):
            return {}
        shares[heading] = share
        room -= share
    return shares
