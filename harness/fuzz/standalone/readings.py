# SPDX-License-Identifier: MIT
"""From which steps an operation's outcome is read, found by asking its reader about made-up results.

Readers are functions of Python (`harness.lowering`), and most read alike: the errno of the first of some steps that
failed, else what one of them returned, and the bytes of one. That is found out and then tried on many made-up results;
a reader that does anything else has no reading, and its operation is not shown in C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from harness.lowering.context import Reader
from harness.script.outcome import Outcome, Withheld
from hil.agent.results import BatchResult, End, How, NotCarriedOut, Status, StepResult
from hil.agent.steps import Batch, Read, Result

_ERROR, _AGAIN = 40, 11  # ELOOP, which means nothing special to any reader; EAGAIN, which does to one
_TRIALS = 24


@dataclass(frozen=True)
class Reading:
    """An outcome from steps: the errno of the first of `errors` that failed; but EAGAIN of step `quiet` is the value 0.
    Else the value is what step `value` returned, or the number `constant`; and the bytes of step `data`, or up to their
    first NUL the text of step `log`."""

    errors: tuple[int, ...]
    value: int | None
    constant: int = 0
    quiet: int | None = None
    data: int | None = None
    log: int | None = None

    def of(self, results: BatchResult) -> Outcome:
        """Returns the outcome; raises NotCarriedOut when a step that it takes was not carried out."""
        value = self.constant
        told = Outcome(value=value)
        for step in self.errors:
            result = results.done(step)
            if result.errno == _AGAIN and step == self.quiet:
                return Outcome(value=0)
            if result.errno:
                told = Outcome(errno=result.error)
                break
        else:
            if self.value is not None:
                told = Outcome(value=results.done(self.value).value)
            if self.data is not None:
                told = replace(told, data=results.done(self.data).data)
        if self.log is not None:
            told = replace(told, log=results.done(self.log).data.split(b"\0", 1)[0].decode("latin-1"))
        return told


def reading(batch: Batch, reader: Reader) -> Reading | None:
    """Returns where an operation's outcome comes from; None where that is nothing so simple."""
    try:
        asked = _asked(batch, reader)
        found = _guess(batch, reader, asked)
        return found if found and all(_alike(found, reader, one) for one in _trials(batch, asked)) else None
    except Exception:  # A reader fails at results that no kernel gives: then it does more than is looked for here.
        return None


class _Watched(BatchResult):
    """Results that note which of them are asked for."""

    def __init__(self, steps: Sequence[StepResult]) -> None:
        super().__init__(End(How.COMPLETED, len(steps)), tuple(steps))
        object.__setattr__(self, "asked", [])

    asked: list[int]

    def __getitem__(self, step: Result | int) -> StepResult | None:
        self.asked.append(step.step if isinstance(step, Result) else step)
        return super().__getitem__(step)


def _made(
    batch: Batch, random: Random, asked: Sequence[int], errors: Mapping[int, int] = MappingProxyType({})
) -> list[StepResult]:
    """Results in which every step that is asked for has a value and bytes of its own, or an error."""
    made = [StepResult(Status.DONE, 0)] * len(batch.steps)
    for index in asked:
        step, error = batch.steps[index], errors.get(index, 0)
        if error:
            made[index] = StepResult(Status.DONE, -error, error)
        else:
            data = random.randbytes(step.maximum).replace(b"\0", b"\1") if isinstance(step, Read) else b""
            made[index] = StepResult(Status.DONE, 10_000 * (index + 1) + random.randrange(10_000), 0, data)
    return made


def _asked(batch: Batch, reader: Reader) -> Sequence[int]:
    """The steps whose results a reader asks for, in the order in which it does so last."""
    results = _Watched(_made(batch, Random(0), [at for at, step in enumerate(batch.steps) if isinstance(step, Read)]))
    reader(results)
    return list(dict.fromkeys(reversed(results.asked)))[::-1]


def _guess(batch: Batch, reader: Reader, asked: Sequence[int]) -> Reading | None:
    random = Random(0)
    steps = _made(batch, random, asked)
    outcome = reader(_Watched(steps))
    if outcome.errno or not asked or outcome.records is not None or outcome.threads is not None:
        return None
    errors, quiet = [], None
    for step in asked:
        failing = reader(_Watched(_made(batch, random, asked, {step: _ERROR})))
        if failing.errno:
            errors.append(step)
            if not reader(_Watched(_made(batch, random, asked, {step: _AGAIN}))).errno:
                quiet = step
    value = next((step for step in asked if steps[step].value == outcome.value), None)
    data = log = None
    if outcome.data is not None:
        data = next(step for step in asked if steps[step].data == outcome.data)
    if outcome.log is not None and not isinstance(outcome.log, Withheld):
        log = next(step for step in asked if steps[step].data.decode("latin-1") == outcome.log)
    constant = outcome.value if value is None and isinstance(outcome.value, int) else 0
    return Reading(tuple(errors), value, constant, quiet, data, log)


def _trials(batch: Batch, asked: Sequence[int]) -> Iterator[BatchResult]:
    random = Random(1)
    for trial in range(_TRIALS):
        failing = random.sample(asked, min(trial % 4, len(asked)))
        errors = {step: random.choice((_ERROR, _AGAIN, 1, 22)) for step in failing}
        yield _Watched(_made(batch, random, asked, errors))


def _alike(found: Reading, reader: Reader, results: BatchResult) -> bool:
    return _said(found.of, results) == _said(reader, results)


def _said(reader: Reader, results: BatchResult) -> Outcome | None:
    try:
        outcome = reader(results)
    except NotCarriedOut:
        return None
    return replace(outcome, log=None) if isinstance(outcome.log, Withheld) else outcome
