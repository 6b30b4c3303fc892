# SPDX-License-Identifier: MIT
"""`hil doctor`: what this host lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from hil import terminal
from hil.doctor import host, kernels, programs
from hil.doctor.finding import Finding, State
from hil.errors import BenchError

CHECKS: tuple[Callable[[], Finding | Iterable[Finding]], ...] = (
    programs.emulators,
    programs.recorders,
    host.virtualization,
    programs.compilers,
    programs.tools,
    kernels.archive,
    kernels.at_hand,
    host.folders,
    host.memory,
    host.pace,
    host.variables,
)
_STYLES = {State.OK: "green", State.WARNING: "yellow", State.ERROR: "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def doctor(as_json: bool) -> int:
    """Check whether this host has what the bench needs, and say what to do where it has not.

    Exit status: 0 when the bench works, also where some commands or lanes do not (warnings); 3 when it does not.
    """
    found = list(findings())
    worst = max((finding.state for finding in found), key=list(State).index)
    if as_json:
        click.echo(json.dumps({"state": worst, "findings": [asdict(finding) for finding in found]}, indent=2))
    else:
        show(terminal.console(), found)
    return BenchError.exit_status if worst is State.ERROR else 0


def findings() -> Iterator[Finding]:
    """Yields the findings of every check."""
    for check in CHECKS:
        result = check()
        yield from [result] if isinstance(result, Finding) else result


def show(console: Console, found: Iterable[Finding]) -> None:
    """Prints the findings as a table, and below it what to do."""
    found = list(found)
    rows = [(one.subject, Text(one.state, style=_STYLES[one.state]), one.what) for one in found]
    terminal.print_table(console, ("about", "state", "found"), rows)
    for one in found:
        if one.remedy:
            console.print(Text.assemble((one.subject, "bold"), f": {one.remedy}"), soft_wrap=True, highlight=False)
