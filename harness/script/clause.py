# SPDX-License-Identifier: MIT
"""A clause: one testable statement about the interface, with the script that shows it and the expected outcome of each
step.

Expectations are written here by people who read the kernel, not derived from the model, so that either can be wrong and
be found out. Where a later kernel does otherwise, the clause has one more row, not a twin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from harness.release import Release, neighbours, point, release
from harness.script.expectation import SUCCESS, Expectation
from harness.script.needs import Need
from harness.script.operations import CreateKprobe, Operation, Script, WriteKprobeEvents
from harness.script.outcome import Addresses, OneOf, Outcome, PerCpu, Record
from harness.script.source import source

Said = Outcome | str | int | bytes | OneOf | PerCpu | Addresses | None
"""An expectation in short: an errno's name, the value returned, the bytes read; None for what does not matter."""

FIRST = "4.1"
_NEWEST = 0xFF
"""The greatest sublevel that LINUX_VERSION_CODE has."""
KPROBES = frozenset({Need.KPROBES})
NOTHING: frozenset[Need] = frozenset()


@dataclass(frozen=True)
class Step:
    """An operation, and its expected outcomes by the first era in which each holds.

    A stable release, "6.1.176" for one, may stand in place of an era: the outcome holds from it on, in that series
    alone.
    """

    operation: Operation
    said: Mapping[str, Said]

    def __post_init__(self) -> None:
        """Raises Malformed for an outcome that cannot be, also where it is expected in other eras only."""
        for said in self.said.values():
            _expectation(said)

    def expected(self, era: str, version: int | None = None) -> Outcome | None:
        """Returns what holds in `era`, in its stable release with the LINUX_VERSION_CODE `version`, or the newest if
        that is None; for an era that nobody checked only what holds in all stable releases of both its neighbours."""
        wanted = release(era)
        if (known := neighbours(wanted)) == (wanted,):
            return self._row(wanted, _NEWEST if version is None else version & 0xFF)
        first, *others = (self._row(one, sublevel) for one in known for sublevel in self._sublevels(one))
        return first if all(other == first for other in others) else None

    def _row(self, wanted: Release, sublevel: int) -> Outcome | None:
        known = [
            since
            for since in self.said
            if (begin := point(since)) <= (wanted, sublevel) and (begin[1] < 0 or begin[0] == wanted)
        ]
        return _expectation(self.said[max(known, key=point)]) if known else None

    def _sublevels(self, series: Release) -> set[int]:
        """Returns one sublevel of a series for each outcome that the clause has for it."""
        return {0, *(sublevel for one, sublevel in map(point, self.said) if one == series and sublevel >= 0)}


def expect(operation: Operation, said: Said, later: Mapping[str, Said] = MappingProxyType({})) -> Step:
    """Returns the step in which `operation` gives `said` in 4.1, and from the eras on that `later` names what it has
    for them."""
    return Step(operation, {FIRST: said, **later})


@dataclass(frozen=True)
class Clause:
    """A statement. `id` is stable; a part after a dot distinguishes variants of one statement. `sentence` is what
    holds.

    The clause is for the eras from `since` to `until`, both included; None is no limit. For one that nobody checked it
    holds when it does for both its neighbours. `given` are facts of a distribution that the clause is about, each with
    the values it may have: settings below /proc/sys by path, and patches, 1 with and 0 without
    (images/distributions.toml). `source` says where the kernel decides so, in the form of `harness.script.source`;
    clauses of a section may leave it to that.
    """

    id: str
    sentence: str
    steps: tuple[Operation | Step, ...]
    needs: frozenset[Need] = KPROBES
    since: str = FIRST
    until: str | None = None
    source: str = ""
    given: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)

    def concerns(self, facts: Mapping[str, int]) -> bool:
        """Returns whether the clause is about kernels of a distribution with these facts; for one not there, upstream's
        counts."""
        return all(facts.get(name, values[0]) in values for name, values in self.given.items())

    def holds(self, era: str) -> bool:
        """Returns whether the clause says anything of `era`."""
        first, last = release(self.since), None if self.until is None else release(self.until)
        return all(first <= known and (last is None or known <= last) for known in neighbours(release(era)))

    def script(self, era: str, version: int | None = None) -> Script:
        """Returns the clause's script for one era, for the stable release with the LINUX_VERSION_CODE `version` or the
        newest."""
        steps = [step if isinstance(step, Step) else Step(step, {}) for step in self.steps]
        expected = tuple(step.expected(era, version) for step in steps)
        entries = Need.KPROBES in self.needs and any(
            probes_an_entry(step.operation, said) for step, said in zip(steps, expected, strict=True)
        )
        return Script(
            self.id,
            self.sentence,
            tuple(step.operation for step in steps),
            expected,
            self.needs | {Need.ENTRY_PROBES} if entries else self.needs,
            source(self.source, era) if self.source else None,
        )


def script_of(name: str, steps: Sequence[Script | Operation | Step], era: str, version: int) -> Script:
    """Returns operations as a script of that name, or the one whole script; for an era, and the stable release with the
    LINUX_VERSION_CODE `version`. Raises TypeError for a script among other steps."""
    match steps:
        case (Script() as script,):
            return script
    operations = tuple(step for step in steps if not isinstance(step, Script))
    if len(operations) < len(steps):
        raise TypeError("a whole script cannot be combined with other steps")
    return Clause(name, "", operations, NOTHING).script(era, version)


_ON_AN_ENTRY = re.compile(r"[pr]\d*(:\S+)?\s+[A-Za-z_]\w*(\+0)?(\s|$)")
"""A command of kprobe_events that makes a probe on the first instruction of a function."""


def probes_an_entry(operation: Operation, expected: Outcome | None = None) -> bool:
    """Returns whether an operation makes a probe on the first instruction of a function, and is not expected to
    fail."""
    if expected is not None and expected.errno:
        return False
    match operation:
        case CreateKprobe(offset=0):
            return True
        case WriteKprobeEvents(command):
            return _ON_AN_ENTRY.match(command) is not None
    return False


def _expectation(said: Said) -> Outcome | None:
    match said:
        case None | Outcome():
            return said
        case str():
            return Expectation(errno=said)
        case int():
            return Expectation(value=said)
        case _:
            return Expectation(value=0, data=said)


def records(count: int) -> Outcome:
    """Returns an outcome with `count` records of any kind."""
    return Expectation(value=count, records=count)


def found(*records: Record) -> Outcome:
    """Returns an outcome with these records; fields that are None do not matter."""
    return Expectation(value=len(records), records=records)


WORKS = SUCCESS
