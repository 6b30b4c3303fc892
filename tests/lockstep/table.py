# SPDX-License-Identifier: MIT
"""The page of what was compared: a row for each lane, each difference with its cause, and what was left out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.lockstep.findings import Difference
from tests.lockstep.covering import CLAUSE, CORE, GENERATED, Covered, Entry

_LEFT_OUT = re.compile(r"(?P<count>\d+) (?P<what>registers|steps|runs to their end|runs): (?P<why>.*)", re.DOTALL)


@dataclass(frozen=True)
class Cause:
    """An error of kernels (`harness/kernel_bugs/bugs.toml`) that explains differences: on `lanes`, in one of `scripts`,
    after an instruction like `text`, in what is like `what`."""

    bug: str
    lanes: str
    text: str = ""
    what: str = ""
    removed: bool = False
    scripts: tuple[str, ...] = ("*",)

    def explains(self, lane: str, script: str, found: Difference) -> bool:
        return (
            fnmatchcase(lane, self.lanes)
            and any(fnmatchcase(script, one) for one in self.scripts)
            and re.search(self.text, found.text) is not None
            and re.search(self.what, found.what) is not None
            and (bool(found.removed) or not self.removed)
        )


CAUSES = (
    Cause("arm64-indirect-load-index", "linux-4.1/arm64/jit", text=r"skb\[r[12]"),
    Cause("arm64-jit-stack", "linux-4.1/arm64/jit", text=r"call", what="the stack"),
    Cause("x86-store-r10-byte", "linux-4.1/x86_64/jit", text=r"\*\(u8 \*\)\(r\d+ .*\) = r10"),
    Cause("tail-call-budget-of-frames", "debian-1[12]/*/jit", text=r"call 12$", what="the next instruction"),
    Cause("packet-load-ends-function", "debian-11/*", text=r"if r0 ", removed=True, scripts=("FUNC-12*", "case-*")),
    Cause(
        "tail-call-ends-function", "debian-1[123]/*/jit", text=r"if r0 ", removed=True, scripts=("FUNC-10*", "case-*")
    ),
    Cause("jmp32-pointer-zero", "debian-1[12]/*", text=r"if w\d", removed=True),
)


def cause(lane: str, script: str, found: Difference) -> str:
    """Returns the error that explains a difference; empty when none does."""
    return next((one.bug for one in CAUSES if one.explains(lane, script, found)), "")


def unexplained(lane: Covered) -> list[Entry]:
    """Returns the scripts whose difference nothing explains."""
    return [
        one
        for one in lane.entries
        if one.examined.difference and not cause(lane.lane, one.script, one.examined.difference)
    ]


def page(lanes: Sequence[Covered], say: str) -> str:
    """Returns the page as Markdown; `say` is the command that writes it."""
    return "\n".join(_lines(lanes, say)) + "\n"


def _lines(lanes: Sequence[Covered], say: str) -> Iterator[str]:
    yield from (
        "# What lockstep compared",
        "",
        f"This page is written by `{say}` from runs on kernels. On each lane: core scripts, generated cases,",
        "and clauses, as far as they load programs. Programs that are counted here ran in the guest and in the model.",
        "A run is one execution of a program, a step one executed instruction with every register before it: values",
        "are compared as numbers, pointers by region and offset. The stack is counted in bytes. Lanes and scripts that",
        "are missing were not run yet, or are to be run again since a fault of lockstep itself was mended.",
        "",
        "| lane | kernel | scripts | programs | runs | steps | values | pointers | stack | differ | unexplained |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    )
    for lane in lanes:
        yield _row(lane)
    yield from ("", "## Differences", "")
    differences = [
        (lane.lane, one.script, one.examined.difference)
        for lane in lanes
        for one in lane.entries
        if one.examined.difference
    ]
    if not differences:
        yield "None."
    else:
        yield from ("| lane | cause | scripts |", "| --- | --- | --- |")
        by_cause: dict[tuple[str, str], list[str]] = {}
        for name, script, found in differences:
            by_cause.setdefault((name, cause(name, script, found)), []).append(f"`{script}`")
        for (name, bug), scripts in by_cause.items():
            link = f"[{bug}](kernel-bugs.md#{bug})" if bug else "not explained"
            yield f"| {name} | {link} | {len(scripts)}: {', '.join(scripts)} |"
    yield from ("", "## What was not compared, and why", "")
    yield from ("The most frequent reasons first.", "")
    yield from _reasons(lanes)
    yield from ("", "## Scripts of which nothing was compared", "")
    notes: dict[str, Counter[str]] = {}
    for lane in lanes:
        for one in lane.entries:
            if one.examined.note:
                notes.setdefault(one.examined.note, Counter())[lane.lane] += 1
    yield from ("| why | scripts |", "| --- | --- |")
    for note, counts in sorted(notes.items(), key=lambda pair: -sum(pair[1].values())):
        yield f"| {_cell(note)} | {', '.join(f'{count} on {name}' for name, count in counts.items())} |"


def _row(lane: Covered) -> str:
    kinds = Counter(one.kind for one in lane.entries if not one.examined.note)
    found = [one.examined for one in lane.entries]
    counts = [sum(getattr(one, name) for one in found) for name in ("runs", "steps", "values", "pointers", "stack")]
    cells = (
        lane.lane,
        lane.kernel,
        f"{kinds[CORE]} core, {kinds[GENERATED]} generated, {kinds[CLAUSE]} clauses",
        sum(one.programs for one in lane.entries),
        *counts,
        sum(one.difference is not None for one in found),
        len(unexplained(lane)),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _reasons(lanes: Sequence[Covered]) -> Iterator[str]:
    """Yields a table with the share of each reason by lane."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for lane in lanes:
        for one in lane.entries:
            for line in one.examined.left_out:
                found = _LEFT_OUT.fullmatch(line)
                assert found, line
                counts.setdefault((found["what"], found["why"]), Counter())[lane.lane] += int(found["count"])
    yield "| what | why | most on a lane | on how many lanes |"
    yield "| --- | --- | --- | --- |"
    for (what, why), by_lane in sorted(counts.items(), key=lambda pair: -max(pair[1].values())):
        (name, most), *_ = by_lane.most_common(1)
        yield f"| {what} | {_cell(why)} | {most} on {name} | {len(by_lane)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("\n", " ")
