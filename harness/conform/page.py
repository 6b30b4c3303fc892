# SPDX-License-Identifier: MIT
"""The page docs/clauses.md: every clause of every era, with its place in the kernel's sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from harness.clauses import by_section
from harness.clauses.sections import sections
from harness.model.architecture import ARCHITECTURES
from harness.model.eras import ERAS, eras_of, every_era
from harness.report.gfm import line
from harness.script.clause import Clause
from harness.script.source import source, tag

_OPENING = f"""\
# Clauses

What the interface must do, statement by statement: `hil conform` holds kernels and the model against each of them.
This page is written by `hil conform --list --markdown` from `harness/clauses`.

Eras are the releases that clauses are held against: {", ".join(ERAS)}; "later kernels" are all but the first.
Where a sentence says "since" or "up to" one of them, the releases between two of them were not looked at.
Sources are shown in {", ".join(map(tag, ERAS))}; two are given where the place moved.
"""


@dataclass
class _Row:
    """The eras in which one statement holds, and its sources in the order of the eras they hold from."""

    eras: list[str] = field(default_factory=list)
    architectures: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)


def markdown() -> str:
    """Returns the page, as the file has it."""
    links: set[str] = set()
    parts = [_OPENING]
    for name, rows in _rows().items():
        section = sections()[name]
        heads = line(("clause", "statement", "holds for", "decided in")), line(["---"] * 4)
        cells = (line(_cells(id, sentence, row, links)) for (id, sentence), row in rows.items())
        parts.append("\n".join((f"## {section.title}\n", f"{section.introduction}\n", *heads, *cells)) + "\n")
    parts.append("".join(f"[{_label(link)}]: {link}\n" for link in sorted(links)))
    return "\n".join(parts)


def _rows() -> Mapping[str, Mapping[tuple[str, str], _Row]]:
    """Returns the rows by section, then by id and sentence: some sentences name an architecture's registers."""
    found: dict[str, dict[tuple[str, str], _Row]] = {name: {} for name in sections()}
    for rules in sorted(every_era(), key=lambda rules: rules.release):
        for section, clauses in by_section(rules.arch, rules.name):
            for clause in clauses:
                row = found[section.name].setdefault((clause.id, clause.sentence), _Row())
                _add(row, clause, rules.name, rules.arch)
    return found


def _add(row: _Row, clause: Clause, era: str, arch: str) -> None:
    if era not in row.eras:
        row.eras.append(era)
    row.architectures.add(arch)
    row.sources.setdefault(clause.source, source(clause.source, era).link)


def _cells(id: str, sentence: str, row: _Row, links: set[str]) -> Iterator[str]:
    links.update(row.sources.values())
    yield f"`{id}`"
    yield re.sub(r"([|*_<>\[\]])", r"\\\1", sentence)
    everywhere = {arch for arch in ARCHITECTURES if not set(row.eras).isdisjoint(eras_of(arch))}
    yield ", ".join((_eras(row.eras), *(sorted(row.architectures) if row.architectures != everywhere else ())))
    yield "; ".join(f"[{text}][{_label(link)}]" for text, link in row.sources.items())


def _label(link: str) -> str:
    """Returns a link without its host, as a label that stays the same when another clause is added."""
    return "/".join(link.split("/")[4:])


def _eras(held: Iterable[str]) -> str:
    """Returns `all`, `4.1`, `since 5.10`, or the eras themselves."""
    eras, every = tuple(held), tuple(ERAS)
    if eras == every:
        return "all"
    return f"since {eras[0]}" if len(eras) > 1 and eras == every[-len(eras) :] else ", ".join(eras)
