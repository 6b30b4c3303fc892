# SPDX-License-Identifier: MIT
"""What generated cases have reached, as a table: a row for each release and architecture whose rules judge them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from harness.run.covered import Covered, Part

HEADINGS = ("rules of", "instructions", "helpers", "refusals", "operations")
MISSING = "never met"


def rows(covered: Sequence[Covered]) -> Iterator[tuple[str, ...]]:
    """Yields the cells of each row, under `HEADINGS`."""
    for one in covered:
        yield one.era, *map(str, _parts(one))


def missing(one: Covered) -> Iterator[tuple[str, str]]:
    """Yields what was never met, by its heading."""
    for heading, part in zip(HEADINGS[1:], _parts(one), strict=True):
        if part.missing:
            yield heading, ", ".join(part.missing)


def print_covered(console: Console, covered: Sequence[Covered]) -> None:
    """Prints the table; nothing of other runs than campaigns."""
    if not covered:
        return
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading == HEADINGS[0])
    for row in rows(covered):
        table.add_row(*row)
    console.print(table)


def _parts(one: Covered) -> tuple[Part, ...]:
    return one.instructions, one.helpers, one.refusals, one.operations
