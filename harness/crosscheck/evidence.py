# SPDX-License-Identifier: MIT
"""What a lane said of operations that neither the model nor a clause has a word for, and of all loads of programs.

A load that is open on one lane may be predicted on another, since engines and architectures have rules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.crosscheck.determined import determined
from harness.crosscheck.grounds import LOADS, Grounds, grounds
from harness.crosscheck.witness import Differing, Witness
from harness.crosscheck.words import is_load, success, word
from harness.script.dependence import depends_on
from harness.script.matching import admits
from harness.script.operations import (
    CreateKprobe,
    DeleteElement,
    FindTracepoint,
    GetNextKey,
    LoadProgram,
    LookupElement,
    Operation,
    RawBpf,
    ReadElements,
    RunSocketFilter,
    RunThreads,
    Script,
    Trigger,
    UpdateElement,
    WriteKprobeEvents,
)
from harness.script.outcome import NOT_CARRIED_OUT, Outcome, Prediction, Unpredicted
from harness.script.reason import Gap
from harness.script.triggers import TRIGGERS

_ASKING = (
    DeleteElement,
    GetNextKey,
    LookupElement,
    RawBpf,
    ReadElements,
    RunSocketFilter,
    RunThreads,
    Trigger,
    UpdateElement,
)
_LOADS_ACROSS = LOADS[Gap.VERDICT].across
_TRIGGERED = frozenset(path.symbol for path in TRIGGERS.values())


@dataclass(frozen=True)
class Testimony:
    """What a lane said of one operation, as far as lanes are to say the same; `across` is in what they may differ.
    `course` tells apart what came before: two lanes are at the same place only when it was the same. What was
    `foretold`, and came so, is held against nobody, but others against it."""

    said: Outcome
    across: Differing
    course: int
    foretold: bool = False


@dataclass(frozen=True)
class Evidence:
    """Of one script on one lane, by the operations' indices. The script's operations are those that were carried out,
    which may be others elsewhere."""

    witness: Witness
    script: str
    operations: tuple[Operation, ...]
    testimonies: Mapping[int, Testimony]

    @property
    def open(self) -> bool:
        """Returns whether something in it was not foretold."""
        return not all(one.foretold for one in self.testimonies.values())


def evidence(
    witness: Witness, script: Script, predictions: Sequence[Prediction], outcomes: Sequence[Outcome]
) -> Evidence | None:
    """What is to be held against other lanes, of the operations for which there are `predictions`, which may be fewer;
    None when there is nothing."""
    expected = script.expected or (None,) * len(predictions)
    found: dict[int, Testimony] = {}
    for index, (prediction, expectation) in enumerate(zip(predictions, expected, strict=False)):
        if _came(prediction, expectation, script.operations[index], outcomes[index]):
            course = _course(script, index, predictions, outcomes)
            found[index] = Testimony(success(outcomes[index]), _LOADS_ACROSS, course, foretold=True)
        elif expectation is None and isinstance(prediction, Unpredicted) and not prediction.deadly:
            operation, seen = script.operations[index], outcomes[index]
            here = grounds(operation, prediction.reason)
            said = word(script, operation, seen) if here else None
            if here and said and not (_asks_programs(operation, here) and _undecided(script, index)):
                said = said if here.values else success(said)
                found[index] = Testimony(said, here.across, _course(script, index, predictions, outcomes))
    return Evidence(witness, script.name, script.operations, found) if found else None


def _came(prediction: Prediction, expectation: Outcome | None, operation: Operation, seen: Outcome) -> bool:
    """Returns whether it is a load of which something was said that was so."""
    said = [one for one in (prediction, expectation) if isinstance(one, Outcome)]
    carried_out = is_load(operation) and seen.errno != NOT_CARRIED_OUT
    return carried_out and bool(said) and all(admits(success(one), success(seen), {}) for one in said)


def steady(rounds: Sequence[Evidence]) -> Evidence:
    """What was the same in all rounds of a script on one lane."""
    first, *others = rounds
    kept = {
        index: one
        for index, one in first.testimonies.items()
        if all(index in other.testimonies and alike(one, other.testimonies[index]) for other in others)
    }
    return replace(first, testimonies=kept)


def alike(one: Testimony, other: Testimony) -> bool:
    """Whether both say the same of one place."""
    return one.course == other.course and admits(one.said, other.said, {})


def _asks_programs(operation: Operation, here: Grounds) -> bool:
    """Whether what programs did counts: by what they put into maps, how long they let a packet be, and what they let a
    system call return, they also decide what succeeds."""
    return not is_load(operation) and (here.values or isinstance(operation, _ASKING))


def _undecided(script: Script, index: int) -> bool:
    """Whether programs may have had a part in what the operation gives that differs by nature: of what they did, the
    model's reason says nothing. How often functions run that no trigger is for is nobody's choice."""
    before = [script.operations[at] for at in depends_on(script, index)]
    loads = [one for one in before if isinstance(one, LoadProgram)]
    if any(isinstance(one, RawBpf) for one in before):
        return True
    return bool(loads) and not (
        all(determined(one.program.instructions) for one in loads)
        and all(one.symbol in _TRIGGERED for one in before if isinstance(one, CreateKprobe))
        and not any(isinstance(one, FindTracepoint | WriteKprobeEvents) for one in before)
    )


def _course(script: Script, index: int, predictions: Sequence[Prediction], outcomes: Sequence[Outcome]) -> int:
    """Of what the operation may depend on: what succeeded, with which errno others failed, and what was predicted of
    them, which was so."""
    before = depends_on(script, index)
    return hash(tuple((at, outcomes[at].errno, _foretold(predictions[at])) for at in before))


def _foretold(prediction: Prediction) -> object:
    """The prediction where there is one. Logs differ from release to release, and no operation reads them."""
    return replace(prediction, log=None) if isinstance(prediction, Outcome) else None
