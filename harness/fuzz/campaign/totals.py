# SPDX-License-Identifier: MIT
"""What a campaign found so far: counts of everything, and some results of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.compare import Verdict
from harness.fuzz.campaign.journal import Entry
from harness.fuzz.campaign.work import Done, tally
from harness.run.crosschecking import crosschecked
from harness.run.phase_timing import PhaseTime
from harness.run.results import MachineReport, ScriptResult, Tally
from hil.errors import UserError

FINE = (Verdict.AGREE, Verdict.UNSUPPORTED)
"""The verdicts that are no findings."""
MOST = 20
"""How many results of a kind are listed; the others are counted, and findings are in the journal."""
EXAMPLES = 2
"""The same, of those that are no findings, unless there is something in them that nobody judges."""


def kind(result: ScriptResult) -> tuple[str, ...]:
    """Returns what alike results have in common: the lane, the verdict, and what it is about."""
    operation = result.operation.operation.partition("(")[0] if result.operation else ""
    reason = result.reason
    if result.operation and result.verdict is not Verdict.UNSUPPORTED:
        reason = reason.partition(f"operation {result.operation.index}, ")[0]
    open_to = "judged by nobody" if result.unjudged else ""
    return result.lane, str(result.verdict), reason, operation, str(result.blame or ""), open_to


def _is_fine(result: ScriptResult) -> bool:
    return result.verdict in FINE and not result.unjudged


class Totals:
    """Grows with the number of kinds of results, not with that of cases."""

    def __init__(self, lanes: Iterable[str]) -> None:
        self.tallies = {lane: Tally(lane, {}) for lane in lanes}
        self.listed: list[ScriptResult] = []
        self.kinds: Counter[tuple[str, ...]] = Counter()
        self.machines: dict[tuple[str, ...], MachineReport] = {}
        self._spent: dict[tuple[str, str], PhaseTime] = {}
        self.reached: dict[str, set[str]] = {}
        """The points of coverage, by the rules of places."""
        self.cases = 0
        self.findings = 0

    def add(self, entry: Entry) -> None:
        """Counts a range; raises UserError for one of another campaign."""
        for lane in [*(one.lane for one in entry.tallies), *(one.lane for one in entry.findings)]:
            if lane not in self.tallies:
                raise UserError(
                    f"the journal has results of {lane}, which is no lane of its campaign",
                    remedy="give each campaign a folder of its own",
                )
        self.cases += entry.count
        for rules, points in entry.reached.items():
            self.reached.setdefault(rules, set()).update(points)
        for one in entry.tallies:
            self.tallies[one.lane] += one
        for result in entry.findings:
            self.findings += result.verdict not in FINE
            self.kinds[kind(result)] += 1
            if self._more(result):
                self.listed.append(result)
            else:
                self.tallies[result.lane] += tally(result)

    def entry(self, numbers: range, parts: Sequence[Done], seconds: float) -> Entry:
        """Returns the record of a range of which every place has its part, lanes held against each other."""
        known = {str(lane): part.known for part in parts for lane in part.task.place.lanes}
        tallies = {one.lane: one for part in parts for one in part.tallies}
        kept = []
        evidence = (one for part in parts for one in part.evidence)
        shown: Counter[tuple[str, ...]] = Counter()
        for result in crosschecked((one for part in parts for one in part.results), evidence, known):
            shown[kind(result)] += 1
            if not _is_fine(result) or shown[kind(result)] + self.kinds[kind(result)] <= EXAMPLES:
                kept.append(result)
            else:
                tallies[result.lane] += tally(result)
        for part in parts:
            self._note(part)
        found = tuple(tallies.values()), tuple(kept)
        return Entry(numbers.start, len(numbers), *found, round(seconds, 2), self._new(parts))

    def left_out(self) -> tuple[Tally, ...]:
        """Returns the tallies of all results that are not listed."""
        return tuple(one for one in self.tallies.values() if one.verdicts)

    def spent(self) -> tuple[PhaseTime, ...]:
        return tuple(self._spent.values())

    def counts(self) -> Mapping[str, Counter[Verdict]]:
        """Returns how often each verdict was given, by lane."""
        counts = {
            lane: Counter({Verdict(name): number for name, number in one.verdicts.items()})
            for lane, one in self.tallies.items()
        }
        for result in self.listed:
            counts[result.lane][result.verdict] += 1
        return counts

    def _new(self, parts: Sequence[Done]) -> dict[str, tuple[str, ...]]:
        """The points that no range had before."""
        reached: dict[str, set[str]] = {}
        for part in parts:
            rules = part.task.place.rules
            reached.setdefault(rules, set()).update(part.reached - self.reached.get(rules, set()))
        return {rules: tuple(sorted(points)) for rules, points in reached.items() if points}

    def _more(self, result: ScriptResult) -> bool:
        return self.kinds[kind(result)] <= (EXAMPLES if _is_fine(result) else MOST)

    def _note(self, part: Done) -> None:
        for machine in part.machines:
            key = machine.kernel, machine.arch, machine.trouble and machine.console
            self.machines.setdefault(key, machine)
        for one in part.spent:
            before = self._spent.get((one.place, one.phase), replace(one, seconds=0.0, times=0))
            self._spent[one.place, one.phase] = replace(
                one, seconds=round(before.seconds + one.seconds, 3), times=before.times + one.times
            )


def findings(entries: Iterable[Entry]) -> Iterator[ScriptResult]:
    """Yields the findings of some ranges, all of them."""
    return (result for entry in entries for result in entry.findings if result.verdict not in FINE)
