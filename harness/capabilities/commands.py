"""`hil lanes`: what each lane can do."""

from __future__ import annotations

import click

from harness.capabilities.table import COLUMNS, markdown, rows
from hil import terminal


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="As docs/lanes.md has it.")
def lanes(as_markdown: bool) -> None:
    """Show what each lane can do, and why not where it cannot."""
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    cells = [[cell.strip("`") for cell in row] for row in rows()]
    terminal.print_table(terminal.console(), [column.heading for column in COLUMNS], cells)
