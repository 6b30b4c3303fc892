# SPDX-License-Identifier: MIT
"""The record of a run: plain data, written as `results.json`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.compare import Blame, Verdict
from harness.counting import counted
from harness.judged import NOTHING, Judged
from harness.lane import Lane
from harness.lockstep.findings import Examined
from harness.run.checked import WITH_REASON, Checked
from harness.run.covered import Covered
from harness.run.executed import Executed
from harness.run.phase_timing import PhaseTime
from harness.script.source import Source
from hil.machine.postmortem import PostMortem
from hil.whole import write_whole

FORMAT = 6
"""The format of `results.json`; it grows when a reader of an older one would misread it, or miss new data: 3 brought
the programs, the differences and the commands that repeat a result; 4 the verdict `disagree`, and which lanes an
operation was compared with; 5 what lockstep found; 6 what was left of guests that died or hung.
"""


@dataclass(frozen=True)
class OperationReport:
    """One operation as text: what it does, the model's prediction, the kernel's outcome, and the clause's expectation,
    if any."""

    index: int
    operation: str
    prediction: str
    observation: str
    expectation: str = ""
    difference: tuple[str, ...] = ()
    """Where what is long differs, with both sides; empty where a glance at both words shows it."""
    depends_on: tuple[int, ...] = ()
    """The operations before it that may have to do with it."""
    against: tuple[str, ...] = ()
    """The other lanes it was compared with, where neither the model nor a clause predicts it."""


@dataclass(frozen=True)
class Sighting:
    """The rounds of a script, counted from 1, with the same result, where not all are alike."""

    rounds: tuple[int, ...]
    verdict: Verdict
    reason: str = ""
    operation: OperationReport | None = None


@dataclass(frozen=True)
class ScriptResult:
    """One script on one lane. `reason` is empty for agreement; `operation` is the first one that diverged, that lanes
    disagree on, or that was lost;
    `unpredicted` are the operations the model has no rule for, which were held against the clause's expectation alone,
    if there is one; `unexpected` are those that failed unexpectedly, up to the first that
    diverged; `judged` counts the predictions of those up to there; `blame` says which one differs from the others in a
    divergence.

    Of a script that was repeated, `rounds` times in all, this is what every round gave; `seconds` is the median. Where
    the rounds gave different things, `sightings` are those, in the order they were first seen.
    """

    lane: str
    script: str
    verdict: Verdict
    reason: str = ""
    operation: OperationReport | None = None
    unpredicted: tuple[OperationReport, ...] = ()
    seconds: float = 0.0
    blame: Blame | None = None
    rounds: int = 1
    sightings: tuple[Sighting, ...] = ()
    again: str = ""
    """The command that repeats this result; empty for agreement."""
    unexpected: tuple[OperationReport, ...] = ()
    judged: Judged = NOTHING
    lockstep: Examined | None = None
    """What a run in lockstep found (`--on-divergence lockstep`); None when there was none."""
    postmortem: PostMortem | None = None
    """What was left of the guest that the script killed or hung; None where the guest lived."""

    @property
    def operations(self) -> tuple[OperationReport, ...]:
        """Returns the operations that differed or were lost, in any round."""
        told = [self.operation] if not self.sightings else [seen.operation for seen in self.sightings]
        return tuple(dict.fromkeys(step for step in told if step))

    @property
    def unsaid(self) -> tuple[OperationReport, ...]:
        """Returns unpredicted operations that no clause covers either. Other lanes may have, but what several kernels
        have in common may be a fault of all of them."""
        return tuple(step for step in self.unpredicted if not step.expectation)

    @property
    def unjudged(self) -> tuple[OperationReport, ...]:
        """Returns unpredicted operations that neither a clause nor another lane covers: whatever the kernel did there,
        it was accepted."""
        return tuple(step for step in self.unsaid if not step.against)


@dataclass(frozen=True)
class MachineReport:
    """One machine of the run: what really booted and how to start the same again."""

    kernel: str
    arch: str
    uname: str = ""
    qemu_version: str = ""
    command: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    boot_seconds: float | None = None
    restored: bool = False
    """Whether it was restored from a saved state instead of booted."""
    console: str = ""
    trouble: str = ""
    warnings: tuple[str, ...] = ()
    """What its console shows and nothing came of, and what there is to say of how the kernel is judged: that it
    differs from its records, or that these are of a release nobody has checked."""
    postmortem: PostMortem | None = None
    """What was left of its guest when it died or hung."""


@dataclass(frozen=True)
class ProgramText:
    """The program that operation `operation` of a script loads as `name`: its listing in the notation of the verifier's
    log, a line an instruction with its index in front; its code in hexadecimal, 16 digits an instruction, as
    `hil model` reads it; and the maps its instructions refer to, a line each."""

    operation: int
    name: str
    listing: tuple[str, ...]
    code: str
    maps: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScriptText:
    """A script in words, as it is on `machines`, which are written `debian-12/arm64`; `source` is the first one's.

    One with a result that is not as predicted brings along its programs, and what is `expected` of each operation
    (parallel to `operations`, "" where nothing is; empty where nothing is expected of any).
    """

    script: str
    sentence: str
    operations: tuple[str, ...]
    machines: tuple[str, ...]
    source: Source | None = None
    expected: tuple[str, ...] = ()
    programs: tuple[ProgramText, ...] = ()


@dataclass(frozen=True)
class Tally:
    """Results of a lane that a report counts and does not list: how many have each verdict, the counts of their
    operations, those that the model has no rule for, those of them that nothing covers, and the seconds they took on
    the guest's clock."""

    lane: str
    verdicts: Mapping[str, int]
    judged: Judged = NOTHING
    unpredicted: int = 0
    unjudged: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.lane,
            dict(Counter(self.verdicts) + Counter(other.verdicts)),
            self.judged + other.judged,
            self.unpredicted + other.unpredicted,
            self.unjudged + other.unjudged,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True)
class RunReport:
    """A whole run."""

    started: str
    seconds: float
    command: tuple[str, ...]
    host: Mapping[str, str]
    lanes: tuple[str, ...]
    machines: tuple[MachineReport, ...]
    results: tuple[ScriptResult, ...]
    scripts: tuple[ScriptText, ...] = ()
    spent: tuple[PhaseTime, ...] = ()
    """The time by phase, by the clocks of threads that ran side by side."""
    interrupted: bool = False
    """Whether the run was ended before it was complete; scripts that had not run are lost."""
    signal: int | None = None
    """The signal that ended the run, if one did."""
    broken: tuple[str, ...] = ()
    """Options that demand something of the run (`harness.run.demands`) which does not hold."""
    checked: tuple[Checked, ...] = ()
    """The programs of the user's objects by lane; of other commands there are none."""
    executed: tuple[Executed, ...] = ()
    """The user's own command by lane (`hil exec`)."""
    tallies: tuple[Tally, ...] = ()
    """What `results` leaves out, where there are too many (`hil fuzz`)."""
    coverage: tuple[Covered, ...] = ()
    """What generated cases have reached (`hil fuzz`)."""

    @property
    def title(self) -> str:
        """Returns the command that was run: `hil conform`."""
        words = [word for word in self.command[1:2] if not word.startswith("-")]
        return " ".join(("hil", *words))

    def of(self, lane: str) -> tuple[ScriptResult, ...]:
        """The results of one lane."""
        return tuple(result for result in self.results if result.lane == lane)

    def counts(self, lane: Lane | str | None = None) -> Counter[Verdict]:
        """Returns how often each verdict was given, on one lane or on all."""
        listed = Counter(result.verdict for result in self.results if lane is None or result.lane == str(lane))
        for tally in self.tallies:
            if lane is None or tally.lane == str(lane):
                listed.update({Verdict(verdict): number for verdict, number in tally.verdicts.items()})
        return listed

    @property
    def unpredicted(self) -> Counter[str]:
        """Returns how many operations the model has no rule for, by lane."""
        found = Counter(result.lane for result in self.results for _ in result.unpredicted)
        return found + Counter({tally.lane: tally.unpredicted for tally in self.tallies})

    @property
    def unjudged(self) -> tuple[tuple[ScriptResult, OperationReport], ...]:
        """Returns what nobody judges of each result (`ScriptResult.unjudged`)."""
        return tuple((one, step) for one in self.results for step in one.unjudged)

    @property
    def unsaid(self) -> tuple[tuple[ScriptResult, OperationReport], ...]:
        """Returns what only other lanes may judge of each result (`ScriptResult.unsaid`)."""
        return tuple((one, step) for one in self.results for step in one.unsaid)

    @property
    def unexpected(self) -> tuple[tuple[ScriptResult, OperationReport], ...]:
        """Returns operations that failed unexpectedly, of scripts that are not reported anyway."""
        return tuple((one, step) for one in self.results if one.verdict is Verdict.AGREE for step in one.unexpected)

    @property
    def judged(self) -> Judged:
        """Returns how many operations model, clauses and other lanes judged."""
        return sum((one.judged for one in self.results), sum((one.judged for one in self.tallies), NOTHING))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Returns what a report says of a run whatever its results: how much of it was judged, what failed
        unexpectedly, and which demands it does not meet."""
        judged = str(self.judged) if self.judged else ""
        broken = f"the run fails because of {' and '.join(self.broken)}" if self.broken else ""
        left_out = sum(sum(tally.verdicts.values()) for tally in self.tallies)
        counted_only = f"{counted(left_out, 'result')} more than are listed" if left_out else ""
        return tuple(filter(None, (judged, counted_only, self.failed_unasked, broken)))

    @property
    def failed_unasked(self) -> str:
        """Returns how many operations failed unexpectedly, and the first of them; empty for none. Those of programs of
        objects that were not loaded or attached are what the reasons are about."""
        told = {(one.lane, one.script) for one in self.checked if one.whys and one.word in WITH_REASON}
        left = [(result, step) for result, step in self.unexpected if (result.lane, result.script) not in told]
        if not left:
            return ""
        result, step = left[0]
        where = f"{step.operation} of {result.script} on {result.lane}: {step.observation}"
        number = counted(len(left), "operation")
        return f"{number} failed unexpectedly; the first is {where}"

    @property
    def exit_status(self) -> int:
        """0 all as predicted, 1 a divergence, lanes or repeats that differ, a program of the user's that is not fine, 3
        the bench or a machine failed.

        A failure outranks a divergence: what was lost may hide more. A run that judged nothing is a failure, too, as is
        one that does not meet what was demanded of it, or was interrupted; by a signal, as shells have it: 128 and its
        number.
        """
        if self.interrupted and self.signal:
            return 128 + self.signal
        counts = self.counts()
        judged = counts.total() - counts[Verdict.UNSUPPORTED] or len(self.checked)
        if self.interrupted or counts[Verdict.LOST] or counts[Verdict.ERROR] or not judged or self.broken:
            return 3
        differing = any(counts[one] for one in (Verdict.DIVERGE, Verdict.DISAGREE, Verdict.FLAKY))
        return 1 if differing or not all(one.fine for one in self.checked) else 0

    def write(self, path: Path) -> None:
        """Write `results.json` whole or not at all."""
        write_whole(path, json.dumps(self.record(), indent=1, default=str) + "\n")

    def record(self) -> dict[str, Any]:
        """Returns the record that is written; the sum in it is for people, and not read again. Names of files that are
        no UTF-8 are written as `\\udcff`, since readers take Unicode alone."""
        words = {"format": FORMAT, "judged": {**asdict(self.judged), "in words": self.remarks}, **asdict(self)}
        plain: dict[str, Any] = _unicode(words)
        return plain


def _unicode(value: Any) -> Any:
    """Returns plain data with every text in it as Unicode."""
    match value:
        case dict():
            return {_unicode(key): _unicode(one) for key, one in value.items()}
        case list() | tuple():
            return [_unicode(one) for one in value]
        case str() if not value.isascii():
            return value.encode(errors="backslashreplace").decode()
    return value
