# SPDX-License-Identifier: MIT
"""`hil bugs`: errors of kernels that are known."""

from __future__ import annotations

import click

from harness.kernel_bugs.bugs import bugs
from harness.kernel_bugs.page import markdown
from hil import terminal


@click.command("bugs")
@click.option("--markdown", "as_markdown", is_flag=True, help="As docs/kernel-bugs.md has it.")
def command(as_markdown: bool) -> None:
    """List the errors of kernels that the bench found or confirmed."""
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    rows = [[one.id, one.title, one.where, one.fixed_in] for one in bugs()]
    terminal.print_table(terminal.console(), ["error", "title", "where", "fixed in"], rows)
