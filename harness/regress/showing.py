# SPDX-License-Identifier: MIT
"""A comparison as text, and as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from rich.console import Console
from rich.text import Text

from harness.regress.change import Change, Kind
from harness.regress.differences import Difference


def show(console: Console, changes: Sequence[Change], facts: Sequence[Difference], compared: int) -> None:
    """Prints what ran differently, then every change by kind, then a line that sums up."""
    for fact in facts:
        _print(console, f"{fact.place}: {fact.fact}: {fact.before} -> {fact.after}", "dim")
    for kind, group in groupby(changes, key=lambda change: change.kind):
        same = list(group)
        _print(console, f"{kind}: {len(same)}", _style(same[0]))
        for change in same:
            arrow = " -> ".join(filter(None, (change.before, change.after)))
            _print(console, f"    {change.lane} {change.script}".rstrip() + (f": {arrow}" if arrow else ""))
    worse = sum(change.worse for change in changes)
    better = sum(change.kind is Kind.FIXED for change in changes)
    _print(
        console,
        f"{compared} compared: {worse} worse, {better} fixed, {len(changes) - worse - better} other changes",
        "bold red" if worse else "bold",
    )


def as_json(changes: Sequence[Change], facts: Sequence[Difference], compared: int) -> str:
    """Returns the same for programs."""
    data = {
        "compared": compared,
        "worse": sum(change.worse for change in changes),
        "changes": [{**asdict(change), "worse": change.worse} for change in changes],
        "differences": [asdict(fact) for fact in facts],
    }
    return json.dumps(data, indent=1)


def _style(change: Change) -> str:
    if change.worse:
        return "bold red"
    return "green" if change.kind is Kind.FIXED else "yellow"


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(Text(line, style=style), soft_wrap=True)
