# SPDX-License-Identifier: MIT
"""How a user's command fared, in reports: for each lane how it ended, what it printed, attached and left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from harness.counting import counted
from harness.run.executed import Executed
from hil.printable import printable

SHOWN = 12
"""Objects of a kind that are listed before the rest is only counted."""


def print_executed(console: Console, executed: Sequence[Executed]) -> None:
    """Prints every lane's part."""
    for one in executed:
        console.print(Text(heading(one), style="bold"), soft_wrap=True)
        for line in lines(one):
            console.print(Text(f"  {printable(line)}"), soft_wrap=True, highlight=False)


def heading(one: Executed) -> str:
    """Returns the lane, how the command ended there, and when."""
    return f"{one.lane}: {ending(one)}, {one.seconds:.1f} s"


def ending(executed: Executed) -> str:
    """Returns how a command ended, in words."""
    if executed.late:
        return "ended at its deadline"
    if executed.status is not None and executed.status > 128:
        return f"status {executed.status} (signal {executed.status - 128})"
    return "not run" if executed.status is None else f"status {executed.status}"


def lines(one: Executed) -> Iterator[str]:
    """Yields what there is to say of a command on a lane, a line each."""
    for name, text in (("stdout", one.stdout), ("stderr", one.stderr)):
        yield from (f"{name}: {line}" for line in text.split("\n") if text)
    if one.loaded is not None and one.made is not None:
        yield f"made: {counted(one.loaded, 'program')}, {counted(one.made, 'map')} in all"
    shown: Counter[str] = Counter()
    for held in one.seen:
        shown[held.kind] += 1
        if shown[held.kind] <= SHOWN:
            yield f"held: {held.text}"
    yield from (f"held: {number - SHOWN} more of the kind {kind}" for kind, number in shown.items() if number > SHOWN)
    yield from (f"left behind: {held.text}" for held in one.left)
    if not one.left and one.status is not None:
        yield "left behind: nothing"
    yield from one.notes
    if one.output:
        yield f"files: {', '.join(one.output)}"
