# SPDX-License-Identifier: MIT
"""What is learnt of each program on a lane while its machine runs: the verifier's words, functions near a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from harness.check import command, explaining, symbols, tracepoints
from harness.check.contents import contents
from harness.check.trying import WITHOUT_EVENT, Trial
from harness.compare import Verdict
from harness.lane import Lane
from harness.lowering import verifier_log
from harness.lowering.executor import GuestExecutor, Observed
from harness.lowering.verifier_log import Reading
from harness.model.environment import Environment
from harness.objects.loading import Stage
from harness.run.checked import Answer, Checked, Why
from harness.run.results import RunReport, ScriptResult
from harness.run.worker import Compared
from harness.script.operations import (
    CreateKprobe,
    FindTracepoint,
    LoadProgram,
    RawBpf,
    ReadCount,
    ReadProfile,
    ReadRuns,
    RunSocketFilter,
    Script,
)
from harness.script.outcome import Outcome, Prediction, Unknown
from harness.session import Session
from hil.errors import MachineLost
from hil.target import Target

LOG, LONG_LOG = 1 << 16, 8 << 20
"""Bytes for the log of a refused program: few of them need more, and all that is there is transferred."""
ROTATES_SINCE = (6, 4)
"""The release since which a log that does not fit lacks its beginning, not its end: 1216640938035."""
STATISTICS, STATISTICS_SINCE = 4, (5, 2)
"""BPF_LOG_STATS, with which the log has the reason and the counters alone, no instructions: 06ee7115b0d1 (5.2)."""
_SHORT = 1 << 12
_CHOOSE = "choose one with --trigger, as in --trigger 'run:cat /proc/version', or run a program by hil exec"
_ENDLESS = f"(the log does not end within {LONG_LOG >> 20} MiB: the verifier followed very many instructions)"
"""Stands for the reason, which is at the end."""


@dataclass
class Inspection:
    """Looks at programs on lanes. `trials` are those of each kernel and architecture; `told` puts into each result what
    the user expects of it."""

    trials: Mapping[tuple[str, str], Sequence[Trial]]
    told: Callable[[Checked], Checked] = lambda one: one
    found: dict[tuple[str, str], Checked] = field(default_factory=dict)
    """What is known so far, by lane and script."""

    def look(self, lane: Lane, session: Session[Target], heard: Sequence[Compared]) -> None:
        """Asks the running kernel why programs did not load or attach, and keeps the answers."""
        by_name = {trial.name: trial for trial in self.trials[lane.kernel, lane.arch]}
        environment = session.environment(lane.engine)
        seen = [(by_name[one.script.name], one, predictions) for one, predictions in heard]
        observed = [(trial, one) for trial, one, _ in seen if isinstance(one, Observed)]
        readings: dict[str, Reading] = {}
        near: Mapping[str, symbols.Found] = {}
        commands: tuple[str, ...] = ()
        with suppress(MachineLost):  # of a script; the results before it are told without the kernel's own words
            readings |= _readings(session.executor, observed, environment)
            functions = session.executor.guest.functions
            near = {
                **symbols.find(session.target, (symbol for pair in observed if (symbol := _unprobed(*pair)))),
                **tracepoints.find(session.target, (name for pair in observed if (name := _unfound(*pair)))),
                **{pattern: symbols.matching(functions, pattern) for pattern in _patterns(observed)},
            }
            if any(command.not_run(trial, one.outcomes) for trial, one in observed):
                commands = command.applets(session.target)
        for trial, one, predictions in seen:
            if isinstance(one, Observed):
                reading = readings.get(trial.name)
                found = checked(lane, trial, one.outcomes, predictions, environment, reading, near)
                self.found[str(lane), trial.name] = command.told(found, trial, one.outcomes, commands)

    def complete(self, report: RunReport) -> RunReport:
        """Returns the report with what was found of every program on every lane, in the order of lanes and programs."""
        results = {(result.lane, result.script): result for result in report.results}
        return replace(report, checked=tuple(self._all(report.lanes, results)))

    def _all(self, lanes: Sequence[str], results: Mapping[tuple[str, str], ScriptResult]) -> Iterator[Checked]:
        for lane in lanes:
            kernel, arch, _ = lane.split("/")
            for trial in self.trials[kernel, arch]:
                result = results.get((lane, trial.name))
                yield self.told(_held(self.found.get((lane, trial.name)) or untried(lane, trial, result), result))


def blank(lane: str, trial: Trial) -> Checked:
    """A program of which nothing is known yet."""
    program = trial.program
    return Checked(lane, trial.object, program.name, program.section, trial.name, notes=trial.notes)


def untried(lane: str, trial: Trial, result: ScriptResult | None) -> Checked:
    """A program that was not tried on a lane, and why."""
    if trial.refused is not None:
        return replace(blank(lane, trial), loads=Answer.NO, whys=(explaining.of_refusal(trial.refused),))
    reason = result.reason if result and result.reason else "it was not looked at, since the machine was lost"
    lost = result is not None and result.verdict in (Verdict.LOST, Verdict.KNOWN)
    return replace(blank(lane, trial), whys=(Why(Stage.LOAD, reason, kind="lost" if lost else "not-run"),))


def checked(
    lane: Lane | str,
    trial: Trial,
    outcomes: Sequence[Outcome],
    predictions: Sequence[Prediction],
    environment: Environment,
    reading: Reading | None = None,
    near: Mapping[str, symbols.Found] | None = None,
) -> Checked:
    """Returns how a program fared, by the outcomes of its script's operations, what it left in its maps, and which
    registers it misread."""
    found = _checked(lane, trial, outcomes, predictions, environment, reading, near)
    if found.loads is Answer.YES:
        found = replace(found, maps=contents(trial, outcomes))
    return found if trial.foreign.why is None else replace(found, whys=(*found.whys, trial.foreign.why))


def _checked(
    lane: Lane | str,
    trial: Trial,
    outcomes: Sequence[Outcome],
    predictions: Sequence[Prediction],
    environment: Environment,
    reading: Reading | None,
    near: Mapping[str, symbols.Found] | None,
) -> Checked:
    made = blank(str(lane), trial)
    load = trial.load
    assert load is not None
    made = replace(made, expected_load=_foreseen(load, predictions))
    if reading is not None:
        made = replace(made, processed=reading.processed)
    for at in trial.at(Stage.TYPES):
        if (errno := outcomes[at].errno) and trial.steps[at].subject == trial.program.name:
            note = f"loaded without the types of its functions (BTF), refused with {errno}"
            made = replace(made, notes=(*made.notes, f"on {trial.prepared.kernel.name} {note}"))
    if outcomes[load].errno:
        return replace(made, loads=Answer.NO, whys=(_why_not_loaded(trial, outcomes, environment, reading),))
    prepared = sorted((*trial.at(Stage.MAPS), *trial.at(Stage.LOAD)))
    missing = next((at for at in prepared if outcomes[at].errno), None)
    if missing is not None:
        why = explaining.not_complete(trial.steps[missing], str(outcomes[missing].errno))
        return replace(made, loads=Answer.NO, expected_load=_foreseen(missing, predictions), whys=(why,))
    made = replace(made, loads=Answer.YES)
    if trial.place is not None and (matched := (near or {}).get(trial.place.pattern)):
        made = replace(made, notes=(*made.notes, f"on {lane} {trial.place.pattern} matches {matched.listed}"))
    failed = next((at for at in trial.at(Stage.ATTACH) if outcomes[at].errno), None)
    if not trial.at(Stage.ATTACH):
        return replace(made, whys=(explaining.left_alone(trial),))
    if failed is not None:
        why = explaining.not_attached(
            trial, trial.steps[failed].operation, str(outcomes[failed].errno), near or {}, environment
        )
        return replace(made, attaches=Answer.NO, whys=(why,))
    fires, hits, missed = _fired(trial, outcomes)
    silent = () if fires is Answer.YES else (_silent(trial, fires),)
    whys = (*silent, *_without_partner(trial, outcomes))
    return replace(made, attaches=Answer.YES, fires=fires, hits=hits, missed=missed, whys=whys)


def _without_partner(trial: Trial, outcomes: Sequence[Outcome]) -> tuple[Why, ...]:
    """Why the other half of a pair is not there: what the two do together was not seen then."""
    for at in trial.at(Stage.PARTNER):
        if errno := outcomes[at].errno:
            name = trial.steps[at].subject
            what = f"its other half, {name}, which shares a map with it, is not attached: {errno}"
            return (Why(Stage.PARTNER, what, "no-partner", errno, remedy=f"see {name} in the same table"),)
    return ()


def _silent(trial: Trial, fires: Answer) -> Why:
    """Why an attached program is not known to have run."""
    if fires is Answer.UNKNOWN:
        return Why(Stage.FIRE, "attached; nothing tells whether it ran", kind="not-counted")
    where = trial.place
    known = bool(trial.trigger) or (where is not None and where.kind in ("perf_event", "device", "iterator"))
    what = "attached, not fired: " + (
        "the trigger did not reach it" if known or trial.triggered else "no trigger is known for it"
    )
    return Why(Stage.FIRE, what, kind="not-fired", remedy=_CHOOSE)


def _fired(trial: Trial, outcomes: Sequence[Outcome]) -> tuple[Answer, int | None, int | None]:
    """Returns whether it was hit, how often, and how many hits were missed: as kprobe_profile has them of a probe, or
    the kernel counted the program's runs, else, and before 5.8, as a perf event counts. That lacks hits which the
    program filtered out, so that none does not mean that there was none."""
    if any(isinstance(trial.steps[at].operation, RunSocketFilter) for at in trial.at(Stage.ATTACH)):
        return Answer.YES, None, None
    read = {type(trial.steps[at].operation): outcomes[at] for at in trial.at(Stage.FIRE)}
    if (counting := read.get(RawBpf)) is not None and counting.errno:  # before 5.8 nobody counts runs
        read.pop(ReadRuns, None)
    if trial.place is not None and trial.place.kind in WITHOUT_EVENT:
        read.pop(ReadCount, None)  # what an iterator gave
    profile, counted = read.get(ReadProfile) or read.get(ReadRuns), read.get(ReadCount)
    match profile.value if profile else None:
        case int(hits) if profile and not profile.errno:
            missed = profile.data if isinstance(profile.data, bytes) else b""
            return Answer.YES if hits else Answer.NO, hits, int.from_bytes(missed, "little")
        case Unknown(least=least) if least:  # as the model has it
            return Answer.YES, None, None
    match counted.value if counted else None:
        case int(hits):
            return Answer.YES if hits else Answer.UNKNOWN, hits, None
    return Answer.UNKNOWN, None, None


def _why_not_loaded(
    trial: Trial, outcomes: Sequence[Outcome], environment: Environment, reading: Reading | None
) -> Why:
    load = trial.load
    assert load is not None
    for at in trial.at(Stage.MAPS):
        errno = outcomes[at].errno
        if at < load and errno and getattr(trial.steps[at].operation, "name", None):
            return explaining.not_made(trial.steps[at].operation, errno, environment)
    return explaining.not_loaded(trial, str(outcomes[load].errno), reading, environment)


def _foreseen(at: int, predictions: Sequence[Prediction]) -> Answer:
    """Returns whether the model says that an operation succeeds."""
    expected = predictions[at] if at < len(predictions) else None
    if not isinstance(expected, Outcome):
        return Answer.UNKNOWN
    return Answer.NO if expected.errno else Answer.YES


def _held(one: Checked, result: ScriptResult | None) -> Checked:
    """With what the comparison with the model and with other lanes gave."""
    if result is None or result.verdict in (Verdict.LOST, Verdict.ERROR):
        return one
    model = {Verdict.DIVERGE: Answer.NO, Verdict.UNSUPPORTED: Answer.UNKNOWN}.get(result.verdict, Answer.YES)
    compared = any(step.against for step in result.unpredicted)
    lanes = Answer.NO if result.verdict is Verdict.DISAGREE else Answer.YES if compared else Answer.UNTRIED
    return replace(one, model=model, lanes=lanes)


def _readings(
    executor: GuestExecutor, observed: Sequence[tuple[Trial, Observed]], environment: Environment
) -> dict[str, Reading]:
    """Loads every program again with the verifier's log, and returns what it says, by script."""
    scripts = [script for trial, seen in observed if (script := _for_log(trial, seen, environment))]
    found: dict[str, Reading] = {}
    cut = []
    for one in executor.run(scripts):
        if isinstance(one, Observed):
            outcome = one.outcomes[-1]
            found[one.script.name] = verifier_log.read(str(outcome.log or ""))
            if outcome.errno == "ENOSPC" and environment.rules.release < ROTATES_SINCE:
                cut.append(_with_log(one.script, 1, LONG_LOG))
    endless = []
    for one in executor.run(cut):
        if isinstance(one, Observed):
            found[one.script.name] = verifier_log.read(str(one.outcomes[-1].log or ""))
            if one.outcomes[-1].errno == "ENOSPC":
                found[one.script.name] = Reading(None, "", (_ENDLESS,), None)
                endless.append(_with_log(one.script, STATISTICS, _SHORT))
    for one in executor.run(endless if environment.rules.release >= STATISTICS_SINCE else ()):
        if isinstance(one, Observed):
            found[one.script.name] = verifier_log.read(str(one.outcomes[-1].log or ""))
    return found


def _with_log(script: Script, level: int, size: int) -> Script:
    *before, load = script.operations
    assert isinstance(load, LoadProgram)
    return replace(script, operations=(*before, replace(load, log_level=level, log_size=size)))


def _for_log(trial: Trial, seen: Observed, environment: Environment) -> Script | None:
    """The script up to the load, which asks for a log: all of it of a refused program, else the counters."""
    load = trial.load
    if trial.script is None or load is None:
        return None
    operation = trial.script.operations[load]
    assert isinstance(operation, LoadProgram)
    if seen.outcomes[load].errno:
        logged = replace(operation, log_level=1, log_size=LOG)
    elif environment.rules.release >= STATISTICS_SINCE:
        logged = replace(operation, log_level=STATISTICS, log_size=_SHORT)
    else:
        return None
    return replace(trial.script, operations=(*trial.script.operations[:load], logged))


def _patterns(observed: Sequence[tuple[Trial, Observed]]) -> set[str]:
    """The patterns of functions that programs were linked to."""
    return {trial.place.pattern for trial, _ in observed if trial.place is not None and trial.at(Stage.ATTACH)} - {""}


def _unprobed(trial: Trial, seen: Observed) -> str | None:
    """The function that could not be probed."""
    for at in trial.at(Stage.ATTACH):
        operation = trial.steps[at].operation
        if isinstance(operation, CreateKprobe) and seen.outcomes[at].errno:
            return operation.symbol
    return None


def _unfound(trial: Trial, seen: Observed) -> str | None:
    """The tracepoint that the kernel does not have, as `tracepoints.find` takes it."""
    for at in trial.at(Stage.ATTACH):
        operation = trial.steps[at].operation
        if seen.outcomes[at].errno == "ENOENT":
            if isinstance(operation, FindTracepoint):
                return operation.tracepoint
            if trial.place is not None and trial.place.kind == "raw_tracepoint":
                return tracepoints.ANY_GROUP + trial.place.target
    return None
