# SPDX-License-Identifier: MIT
"""Two lanes against each other, instruction by instruction, without a model.

They differ where an instruction had the same inputs on both and did something else: gave another value, went another
way, or changed what it does not write. What a program gets from outside (results of helpers, memory, addresses) may be
another one on each, and so may what follows from it; that is counted. The distance of such values is followed through
copies, additions and subtractions, so that pointers are compared as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.isa.text import listing
from harness.lockstep.findings import AROUND, Difference, Examined, Line
from harness.lockstep.pair import Counts, Found, Pair, changes
from harness.lockstep.taken import Taken, TakenStep
from hil.errors import UserError


def against(left: Taken, right: Taken) -> Examined:
    """Returns what differs first between two lanes that ran the same programs.

    Raises UserError when the programs are different, as those that read `struct pt_regs` of two architectures.
    """
    if left.programs != right.programs:
        raise UserError(
            f"{left.script} on {left.lane} and {right.script} on {right.lane} have different programs, so their "
            "instructions cannot be compared",
            remedy="choose the same script, and lanes of one architecture if it reads its context",
        )
    counts, difference, runs = Counts(), None, 0
    kept = {name: left.kept[name] & right.kept[name] for name in left.programs}
    numbers: Counter[str] = Counter()
    for first, second in _pairs(left, right):
        runs += 1
        numbers[first[0].program] += 1
        pair = Pair(left.programs, kept, first, second)
        if parting := pair.compare(counts):
            difference = _difference(pair, parting, numbers[first[0].program], (left.lane, right.lane))
            break
    return Examined(
        runs,
        counts.steps,
        counts.values,
        counts.pointers,
        counts.stack,
        (*_left_out(counts), *_alone(left, right)),
        difference,
        _note(runs, counts, difference),
    )


def _note(runs: int, counts: Counts, difference: Difference | None) -> str:
    """Returns why nothing was compared; empty where something was."""
    if counts.steps or difference:
        return ""
    return "no instruction ran on both" if runs else "none of the programs ran on both"


def _pairs(left: Taken, right: Taken) -> Iterator[tuple[Sequence[TakenStep], Sequence[TakenStep]]]:
    """Yields the n-th run of each program on one lane with the n-th on the other."""
    for name in left.programs:
        yield from zip(_runs(left, name), _runs(right, name), strict=False)


def _runs(one: Taken, name: str) -> list[Sequence[TakenStep]]:
    return [run for run in one.runs if run[0].program == name]


def _left_out(counts: Counts) -> Iterator[str]:
    yield from (f"{count} {what}" for what, count in counts.outside.most_common())


def _alone(left: Taken, right: Taken) -> Iterator[str]:
    for name in left.programs:
        here, there = len(_runs(left, name)), len(_runs(right, name))
        if here != there:
            yield f"{abs(here - there)} runs: {name} ran {here} times on {left.lane}, {there} times on {right.lane}"


def _difference(pair: Pair, parting: tuple[int, Found], run: int, sides: tuple[str, str]) -> Difference:
    after, (what, left, right) = parting
    texts = {name: dict(listing(pair.programs[name])) for name in {step.program for step in (*pair.left, *pair.right)}}
    here = pair.left[max(after, 0)]
    lines = []
    for number in range(max(0, after - AROUND), min(len(pair.left), after + 1 + AROUND)):
        step = pair.left[number]
        changed = _changed(pair.left, number), _changed(pair.right, number)
        lines.append(Line(step.index, texts[step.program][step.index], *changed, number == after))
    index = here.index if after >= 0 else -1
    text = texts[here.program][here.index] if after >= 0 else ""
    name, at = pair.left[0].program, max(after, 0)
    return Difference(name, run, at, index, text, what, left, right, tuple(lines), sides=sides)


def _changed(run: Sequence[TakenStep], number: int) -> str:
    if number + 1 >= len(run):
        return ""
    here, following = run[number], run[number + 1]
    return " ".join(f"R{each}={following.registers[each]:#x}" for each in changes(here, following))
