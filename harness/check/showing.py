# SPDX-License-Identifier: MIT
"""How programs of objects fared, for a terminal: a table of programs and lanes, and the reasons below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from harness.lane import compact
from harness.run.checked import Answer, Checked, Why
from hil.terminal import print_table

STYLES = {
    "fires": "green",
    "attaches": "green",
    "loads": "green",
    "refused": "red",
    "not attached": "red",
    "not run": "yellow",
}


def word(one: Checked) -> str:
    """How far a program came: one word for a cell of a table."""
    if one.loads is Answer.NO:
        return "refused"
    if one.loads is not Answer.YES:
        return "not run"
    if one.attaches is Answer.NO:
        return "not attached"
    if one.attaches is not Answer.YES:
        return "loads"
    return "fires" if one.fires is Answer.YES else "attaches"


def cell(one: Checked) -> str:
    """The word, with the number of hits, and `≠` where the model or another lane says otherwise."""
    hits = f" {one.hits}" if one.hits else ""
    missed = f" (missed {one.missed})" if one.missed else ""
    differs = " ≠" if Answer.NO in (one.model, one.lanes) or _foretold_otherwise(one) else ""
    return f"{word(one)}{hits}{missed}{differs}"


def _foretold_otherwise(one: Checked) -> bool:
    return {one.loads, one.expected_load} == {Answer.YES, Answer.NO}


def print_checked(console: Console, checked: Sequence[Checked]) -> None:
    """Prints the table of all programs and, for each answer no, why."""
    for name in dict.fromkeys(one.object for one in checked):
        of = [one for one in checked if one.object == name]
        lanes = list(dict.fromkeys(one.lane for one in of))
        console.print(Text(name, style="bold"), soft_wrap=True, highlight=False)
        print_table(console, ("program", "section", *lanes), _rows(of, lanes))
        for line in reasons(of):
            console.print(Text(line), soft_wrap=True, highlight=False)


def _rows(of: Sequence[Checked], lanes: Sequence[str]) -> Iterator[Sequence[str | Text]]:
    by = {(one.script, one.lane): one for one in of}
    for script in dict.fromkeys(one.script for one in of):
        first = next(one for one in of if one.script == script)
        cells = [by.get((script, lane)) for lane in lanes]
        yield (
            first.program,
            first.section,
            *(Text("-") if one is None else Text(cell(one), style=STYLES.get(word(one), "")) for one in cells),
        )


def reasons(of: Sequence[Checked]) -> Iterator[str]:
    """The reasons, those together that lanes have in common, with the lanes."""
    found: dict[tuple[str, Why], list[str]] = {}
    for one in of:
        for why in one.whys:
            if why.kind != "not-attached":
                found.setdefault((one.program, why), []).append(one.lane)
    for (program, why), lanes in found.items():
        yield f"{program} on {', '.join(compact(lanes))}:"
        yield from (f"    {line}" for line in lines(why))
    for program, note in dict.fromkeys((one.program, note) for one in of for note in one.notes):
        yield f"{program}: {note}"


def lines(why: Why) -> Iterator[str]:
    """One reason in full, a line each."""
    yield why.what
    if why.instruction is not None:
        at = f"instruction {why.instruction}" + (f", {why.line}" if why.line else "")
        yield f"at {at}: {why.source}" if why.source else f"at {at}"
    yield from (f"kernel: {message}" for message in why.messages)
    if why.rule:
        yield f"rule: {why.rule}"
    if why.remedy:
        yield f"remedy: {why.remedy}"
