# SPDX-License-Identifier: MIT
"""The changes from one run to another, script by script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.compare import Verdict
from harness.regress.side import Side, operation
from harness.report.account import REASON
from harness.run.results import ScriptResult
from harness.script.brief import brief

_FAILED = (Verdict.LOST, Verdict.ERROR)


class Kind(StrEnum):
    """The kind of a change; those that are worse come first."""

    INTERRUPTED = "interrupted"
    DIVERGES = "new divergence"
    DISAGREES = "new disagreement"
    MOVED = "moved"
    FAILED = "no verdict any more"
    NOTHING = "nothing judged"
    UNSUPPORTED = "unsupported now"
    FLAKY = "flaky"
    DISAPPEARED = "disappeared"
    STALE = "stale baseline entry"
    SLOWER = "slower"
    CHANGED = "changed"
    VERDICT = "other verdict"
    APPEARED = "appeared"
    IDLE = "idle baseline entry"
    FIXED = "fixed"


WORSE = frozenset(
    {
        Kind.INTERRUPTED,
        Kind.DIVERGES,
        Kind.DISAGREES,
        Kind.MOVED,
        Kind.FAILED,
        Kind.NOTHING,
        Kind.UNSUPPORTED,
        Kind.FLAKY,
        Kind.DISAPPEARED,
        Kind.STALE,
    }
)
"""The kinds that make a comparison fail. A divergence that moved to another operation is another divergence; a script
that is gone is one that nobody checks any more. Time is not among them: it depends on the host."""
DIFFER = {Verdict.DIVERGE: Kind.DIVERGES, Verdict.DISAGREE: Kind.DISAGREES}
"""The verdicts by which a kernel differs from what it is compared with, and the kinds of new ones."""


@dataclass(frozen=True)
class Change:
    """One change; `script` is empty when it is about a whole lane."""

    kind: Kind
    lane: str
    script: str
    before: str = ""
    after: str = ""

    @property
    def worse(self) -> bool:
        return self.kind in WORSE


def changes(before: Side, after: Side) -> tuple[Change, ...]:
    """Returns every change of verdicts, and a run that is not complete. A complete one has none against itself."""
    return ordered((*_interrupted(before, after), *_lanes(before, after), *_scripts(before, after)))


def ordered(found: Iterable[Change]) -> tuple[Change, ...]:
    """Returns the changes by kind, the worst first, then by lane and script."""
    kinds = list(Kind)
    return tuple(sorted(found, key=lambda change: (kinds.index(change.kind), change.lane, change.script)))


def _interrupted(before: Side, after: Side) -> Iterator[Change]:
    """Yields a change for a run that is not complete, which is neither good nor a measure of good."""
    if before.interrupted or after.interrupted:
        told = ["not complete" if side.interrupted else "complete" for side in (before, after)]
        yield Change(Kind.INTERRUPTED, "the whole run", "", *told)


def _lanes(before: Side, after: Side) -> Iterator[Change]:
    """Yields lanes that only one side has, once each, not script by script; failures there are reported all the
    same."""
    for lane in before.lanes:
        if lane not in after.lanes:
            yield Change(Kind.DISAPPEARED, lane, "")
    for lane in after.lanes:
        if lane not in before.lanes:
            yield Change(Kind.APPEARED, lane, "")


def _scripts(before: Side, after: Side) -> Iterator[Change]:
    for (lane, script), result in before.seen.items():
        if (lane, script) not in after.seen and lane in after.lanes:
            yield Change(Kind.DISAPPEARED, lane, script, describe(result))
    for (lane, script), now in after.seen.items():
        earlier = before.seen.get((lane, script))
        if earlier is not None:
            if kind := _kind(earlier, now):
                yield Change(kind, lane, script, describe(earlier), describe(now))
        elif kind := _verdict_alone(now):
            yield Change(kind, lane, script, "", describe(now))
        elif lane in before.lanes:
            yield Change(Kind.APPEARED, lane, script, "", describe(now))


def trouble(side: Side) -> tuple[Change, ...]:
    """Returns what is wrong with a run by itself: unknown divergences, failures, repeats that differ, nothing
    judged."""
    nothing = Side(side.lanes, {}, {}, {})
    return (*(change for change in changes(nothing, side) if change.worse), *judged_nothing(side))


def judged_nothing(side: Side) -> tuple[Change, ...]:
    """Returns a change when nothing of a run was judged: it is no better than what it is compared with."""
    if all(result.verdict is Verdict.UNSUPPORTED for result in side.seen.values()):
        return (Change(Kind.NOTHING, "the whole run", "", "", f"{len(side.seen)} unsupported"),)
    return ()


def _kind(before: ScriptResult, after: ScriptResult) -> Kind | None:
    if after.verdict in _FAILED:
        return None if before.verdict in _FAILED else Kind.FAILED
    if after.verdict is Verdict.FLAKY:
        return None if before.verdict is Verdict.FLAKY else Kind.FLAKY
    if after.verdict in DIFFER:
        if before.verdict is not after.verdict:
            return DIFFER[after.verdict]
        if operation(before) != operation(after):
            return Kind.MOVED
        return Kind.CHANGED if _outcomes(before) != _outcomes(after) else None
    if before.verdict is after.verdict:
        return None
    if after.verdict is Verdict.UNSUPPORTED:
        return Kind.VERDICT if before.verdict in _FAILED else Kind.UNSUPPORTED
    if after.verdict is Verdict.AGREE and before.verdict is not Verdict.UNSUPPORTED:
        return Kind.FIXED
    return Kind.VERDICT


def _verdict_alone(result: ScriptResult) -> Kind | None:
    if result.verdict in _FAILED:
        return Kind.FAILED
    return {**DIFFER, Verdict.FLAKY: Kind.FLAKY}.get(result.verdict)


def _outcomes(result: ScriptResult) -> tuple[str, str] | str:
    if step := result.operation:
        return step.prediction, step.observation
    return result.reason


def describe(result: ScriptResult) -> str:
    """Returns a verdict and its reason, on one line."""
    return (
        " ".join(f"{result.verdict}: {brief(result.reason, REASON)}".split()) if result.reason else str(result.verdict)
    )
