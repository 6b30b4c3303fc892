# SPDX-License-Identifier: MIT
"""`hil states`: the saved states of machines."""

from __future__ import annotations

from datetime import datetime

import click

from hil import terminal
from hil.machine import states as saved


@click.command()
@click.option("--remove", is_flag=True, help="Remove all of them; machines are then booted, and saved again.")
def states(remove: bool) -> None:
    """List the saved states of booted machines, from which later ones are restored."""
    console = terminal.console()
    found = saved.states()
    if remove:
        for state in found:
            saved.discard(state.folder)
        saved.clear()
    else:
        rows = [
            (state.folder.name, f"{state.size / 1e6:.0f} MB", f"{datetime.fromtimestamp(state.used):%Y-%m-%d %H:%M}")
            for state in found
        ]
        terminal.print_table(console, ("state", "size", "last used"), rows, right=("size",))
    total = sum(state.size for state in found)
    what = "removed" if remove else "in all"
    line = f"{len(found)} states, {total / 1e6:.0f} MB {what}; at most {saved.LIMIT >> 30} GiB are kept"
    console.print(line, highlight=False)
