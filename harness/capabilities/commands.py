"""`hil lanes`: what each lane can do."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from harness.capabilities.table import COLUMNS, markdown, rows


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="As docs/lanes.md has it.")
def lanes(as_markdown: bool) -> None:
    """Show what each lane can do, and why not where it cannot."""
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    table = Table(*(column.heading for column in COLUMNS), box=None, pad_edge=False)
    for cells in rows():
        table.add_row(*(cell.strip("`") for cell in cells))
    Console(markup=False).print(table)
