# SPDX-License-Identifier: MIT
"""`hil lanes`: what each lane can do."""

from __future__ import annotations

import click

from harness.lane_tables.changes import markdown as page_of_changes
from harness.lane_tables.table import COLUMNS, imported, markdown, rows
from hil import terminal


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="As docs/lanes.md has it.")
@click.option("--changes", is_flag=True, help="What changed from release to release, as docs/eras.md has it.")
def lanes(as_markdown: bool, changes: bool) -> None:
    """Show what each lane can do, and why not where it cannot."""
    if changes:
        click.echo(page_of_changes(), nl=False)
        return
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    cells = [[cell.strip("`") for cell in row] for row in (*rows(), *imported())]
    terminal.print_table(terminal.console(), [column.heading for column in COLUMNS], cells)
