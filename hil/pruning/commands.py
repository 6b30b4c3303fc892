# SPDX-License-Identifier: MIT
"""`hil cache`: what the bench keeps on disk, and the removal of what nobody needs."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from hil import terminal
from hil.errors import UserError
from hil.help import Group
from hil.pruning.kinds import usage
from hil.pruning.superfluous import DAYS, KINDS, Superfluous, remove, superfluous


@click.group("cache", cls=Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show what the bench keeps on disk, by kind; `prune` removes what nobody needs any more."""
    if context.invoked_subcommand is not None:
        return
    found = list(usage())
    if as_json:
        rows = [
            {"kind": one.kind.name, "folder": str(one.folder), "entries": one.entries, "bytes": one.size}
            for one in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    console = terminal.console()
    cells = [
        (one.kind.name, str(one.entries), _size(one.size), one.kind.what, one.kind.again, str(one.folder))
        for one in found
    ]
    heads = ("kind", "entries", "size", "what", "when removed", "folder")
    terminal.print_table(console, heads, cells, right=("entries", "size"), folding=heads[3:])
    console.print(f"{_size(sum(one.size for one in found))} in all", highlight=False)


@command.command()
@click.argument("kinds", nargs=-1, type=click.Choice([*KINDS]))
@click.option("--days", default=DAYS, show_default=True, type=click.FloatRange(0), help="What is older counts as old.")
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(kinds: tuple[str, ...], days: float, dry_run: bool, yes: bool) -> None:
    """Remove what nobody needs: guest roots, saved machines, symbols and debug symbols of kernels that are gone, or not
    used for --days; packages that were unpacked; old runs; what killed processes left. Without KINDS, all of these.

    Whatever another process holds stays. Kernels stay: `hil kernels remove`.
    """
    console = terminal.console()
    chosen = {kind: KINDS[kind] for kind in kinds or KINDS}
    found = superfluous(chosen, days)
    rows = [(one.kind, _size(one.size), one.why, str(one.path)) for one in found]
    if not rows:
        click.echo("nothing to remove")
        return
    terminal.print_table(console, ("kind", "size", "why", "path"), rows, right=("size",), folding=("why", "path"))
    console.print(f"{len(found)} entries, {_size(sum(one.size for one in found))}", highlight=False)
    if dry_run:
        return
    if not yes:
        _ask()
    # Again, since a kernel may have come back while the question was open.
    still = {one.path for one in superfluous(chosen, days)}
    _remove(console, [one for one in found if one.path in still])


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UserError("nothing was removed: nobody can be asked", remedy="give --yes, or --dry-run to look")
    click.confirm("Remove these?", abort=True)


def _remove(console: Console, found: list[Superfluous]) -> None:
    freed = 0
    for one in found:
        if held := remove(one):
            console.print(f"in use, stays: {held.path}", highlight=False, soft_wrap=True)
        else:
            freed += one.size
    console.print(f"removed {_size(freed)}", highlight=False)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
