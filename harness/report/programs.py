# SPDX-License-Identifier: MIT
"""How the programs of a user's objects fared, in reports: a table of programs and lanes, and the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from harness.counting import counted
from harness.lane import compact
from harness.run.checked import Answer, Checked, MapContent, Why, Word
from hil.printable import printable
from hil.terminal import print_table

_STYLES = {Word.REFUSED: "red", Word.NOT_ATTACHED: "red", Word.FIRES: "green"}
"""Only what ran is green; the rest is yellow."""


_MOST_ELEMENTS, _MOST_CONTENTS = 4, 3
"""Elements of a map, and different contents of it, that a table has room for; `hil show` has all."""
_REACHED = {
    Word.FIRES: "fire",
    Word.ATTACHES: "attach and were not seen to fire",
    Word.LOADS: "load and are not attached",
    Word.NOT_ATTACHED: "load and cannot be attached",
    Word.REFUSED: "are refused",
    Word.OPEN: "are open",
    Word.NOT_RUN: "were not run",
}


@dataclass(frozen=True)
class Reason:
    """A reason that some programs have in common on the same lanes; `whys` differ only in what they are about."""

    programs: tuple[str, ...]
    lanes: tuple[str, ...]
    whys: tuple[Why, ...]

    @property
    def heading(self) -> str:
        """Returns the programs and the lanes."""
        return f"{', '.join(self.programs)} on {', '.join(compact(self.lanes))}"

    @property
    def lines(self) -> tuple[str, ...]:
        """Returns what is to be said, a line each."""
        first, *others = dict.fromkeys(why.what for why in self.whys)
        return first, *others, *list(lines(self.whys[0]))[1:]


@dataclass(frozen=True)
class Row:
    """A program, and how it fared on each of the lanes; None where it was not tried."""

    program: str
    section: str
    cells: tuple[Checked | None, ...]


@dataclass(frozen=True)
class Table:
    """The programs of one object."""

    object: str
    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]


def tables(checked: Sequence[Checked]) -> tuple[Table, ...]:
    """Returns a table for each object, in the order they were named."""
    return tuple(
        _table(name, [one for one in checked if one.object == name])
        for name in dict.fromkeys(one.object for one in checked)
    )


def _table(name: str, of: Sequence[Checked]) -> Table:
    lanes = tuple(dict.fromkeys(one.lane for one in of))
    by = {(one.script, one.lane): one for one in of}
    firsts = {one.script: one for one in reversed(of)}
    rows = tuple(
        Row(firsts[script].program, firsts[script].section, tuple(by.get((script, lane)) for lane in lanes))
        for script in dict.fromkeys(one.script for one in of)
    )
    notes = dict.fromkeys(f"{one.program}: {note}" for one in of for note in one.notes)
    return Table(name, lanes, rows, tuple(_reasons(of)), (*notes, *_left(of)))


def _left(of: Sequence[Checked]) -> Iterator[str]:
    """Yields what programs left in their maps, a line for each map and each content that lanes have in common."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for one in of:
        for content in one.maps:
            if content.elements or (content.zero and one.word is Word.FIRES):
                by = found.setdefault((one.script, one.program, content.name), {})
                by.setdefault(said(content, _MOST_ELEMENTS), []).append(one.lane)
    for (script, program, name), by in found.items():
        for text, lanes in list(by.items())[:_MOST_CONTENTS]:
            yield f"{program}: left in {name}: {text}, on {', '.join(compact(lanes))}"
        if len(by) > _MOST_CONTENTS:
            yield f"{program}: something else in {name} on other lanes: hil show RUN:{script}"


def said(content: MapContent, most: int | None = None) -> str:
    """Returns what a map held: `[0] = 3, [7] = 291 (0x123); 62 more are 0`, `most` elements of it."""
    parts = [f"[{one.key}] = {one.value}" for one in content.elements[:most]]
    more = len(content.elements) - len(parts)
    parts += [f"{more} more"] if more else []
    zero = f"{content.zero} {'more ' if parts else ''}{'is' if content.zero == 1 else 'are'} 0" if content.zero else ""
    return "; ".join(filter(None, (", ".join(parts), zero))) or "nothing"


def _reasons(of: Sequence[Checked]) -> Iterator[Reason]:
    lanes: dict[tuple[str, Why], list[str]] = {}
    for one in of:
        for why in one.whys:
            lanes.setdefault((one.program, why), []).append(one.lane)
    alike: dict[tuple[Why, tuple[str, ...]], list[tuple[str, Why]]] = {}
    for (program, why), where in lanes.items():
        alike.setdefault((replace(why, what="") if why.rule else why, tuple(where)), []).append((program, why))
    for (_, common), told in alike.items():
        programs = tuple(dict.fromkeys(program for program, _ in told))
        yield Reason(programs, common, tuple(why for _, why in told))


def cell(one: Checked | None) -> str:
    """Returns the word, with the number of hits; `≠` where model, kernel and other lanes do not agree, and what was
    expected instead."""
    if one is None:
        return "-"
    hits = f" {one.hits}" if one.hits else ""
    missed = f" (missed {one.missed})" if one.missed else ""
    differs = " ≠" if one.differs else ""
    wrong = " (wrong registers)" if one.misread else ""
    instead = f", expected {one.expected}" if one.expected and not one.fine else ""
    return f"{one.word}{hits}{missed}{wrong}{differs}{instead}"


def style(one: Checked | None) -> str:
    """Returns the colour of a cell."""
    if one is None:
        return ""
    if not one.fine:
        return "red"
    return "yellow" if one.misread else "green" if one.expected else _STYLES.get(one.word, "yellow")


def lines(why: Why) -> Iterator[str]:
    """Yields one reason in full, a line each."""
    yield why.what
    if why.instruction is not None:
        at = f"instruction {why.instruction}" + (f", {why.line}" if why.line else "")
        yield f"at {at}: {why.source}" if why.source else f"at {at}"
    yield from (f"kernel: {message}" for message in why.messages)
    if why.rule:
        yield f"rule: {why.rule}"
    if why.remedy:
        yield f"remedy: {why.remedy}"


def account(one: Checked) -> Iterator[str]:
    """Yields everything there is to say of a program on a lane, for a log."""
    yield f"{one.section} of {one.object}: {cell(one)}"
    yield from (line for why in one.whys for line in lines(why))
    if one.contradicted:
        yield f"the model says otherwise: {'it loads' if one.expected_load is Answer.YES else 'it is refused'}"
    yield from one.notes
    yield from (f"map {content.name}: {said(content)}" for content in one.maps)


def reached(checked: Sequence[Checked]) -> str:
    """Returns how far programs came on their lanes, in one line: `of 8 trials: 3 fire, 4 attach without firing, 1 only
    loads`."""
    words = Counter(one.word for one in checked)
    parts = [f"{words[word]} {said}" for word, said in _REACHED.items() if words[word]]
    misread = sum(one.misread for one in checked)
    parts += [f"{misread} with registers of another architecture"] if misread else []
    return f"of {counted(len(checked), 'trial')}: {', '.join(parts)}"


def print_checked(console: Console, checked: Sequence[Checked]) -> None:
    """Prints a table for each object and, for each answer no, why."""
    for table in tables(checked):
        console.print(Text(f"\n{printable(table.object)}", style="bold"), soft_wrap=True, highlight=False)
        print_table(console, ("program", "section", *table.lanes), map(_cells, table.rows), folding=table.lanes)
        for reason in table.reasons:
            console.print(Text(f"{printable(reason.heading)}:"), soft_wrap=True, highlight=False)
            for line in reason.lines:
                console.print(Text(f"    {printable(line)}"), soft_wrap=True, highlight=False)
        for note in table.notes:
            console.print(Text(printable(note)), soft_wrap=True, highlight=False)
    if checked:
        console.print(Text(reached(checked)), soft_wrap=True, highlight=False)


def _cells(row: Row) -> Sequence[str | Text]:
    return (row.program, row.section, *(Text(cell(one), style=style(one)) for one in row.cells))
