# SPDX-License-Identifier: MIT
"""What is in doubt spreads by construction: of random scripts an operation is made open at random, and no certain
prediction is left that depends on what it did.

That an operation's outcome is not known is one run of the model; the same script with the operation refused, carried
out, or carried out otherwise within its effects are others. What the first one is certain of must be so in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

import pytest

from harness.fuzz.scripts import scripts
from harness.model.environment import Environment
from harness.model.eras import era
from harness.model.errno import Errno
from harness.model.executor import Carry, Interference, ModelExecutor
from harness.model.interface.effects import Part, effects
from harness.model.unpredictable import Unpredictable
from harness.script.operations import Operation, RunThreads, Script
from harness.script.outcome import Anything, Either, Outcome, Prediction, Unknown, Unpredicted
from harness.script.processes import Exit, Fork
from harness.script.text import describe_outcome
from tests.harness.model.running import environment

SEED, COUNT = 20151101, 60
OPENED = 3
"""Operations of a script that are made open, one at a time."""
NUMBERS = (0, 1, 2, 3, 4, 8, 100)


def opened(at: int, carried: bool) -> Interference:
    """The operation's outcome is not known, whether it is carried out or not."""

    def interfere(index: int, operation: Operation, carry: Carry) -> Outcome:
        if index != at:
            return carry(operation)
        if carried:
            with suppress(Errno, Unpredictable):
                carry(operation)
        raise Unpredictable("made open")

    return interfere


def refused(at: int) -> Interference:
    def interfere(index: int, operation: Operation, carry: Carry) -> Outcome:
        if index == at:
            raise Errno("EPERM")
        return carry(operation)

    return interfere


def instead(at: int, other: Operation) -> Interference:
    return lambda index, operation, carry: carry(other if index == at else operation)


def otherwise(random: Random, operation: Operation) -> Operation:
    """With another number, or other bytes, in one of its fields, and the same effects."""
    changes: dict[str, Any] = {}
    for field in fields(operation):
        value = getattr(operation, field.name)
        if isinstance(value, bool):
            changes[field.name] = not value
        elif type(value) is int:
            changes[field.name] = random.choice(NUMBERS)
        elif isinstance(value, bytes) and value:
            changes[field.name] = bytes([value[0] ^ 1]) + value[1:]
    if not changes:
        return operation
    name = random.choice(sorted(changes))
    changed = replace(operation, **{name: changes[name]})
    return changed if effects(changed) == effects(operation) else operation


def others(random: Random, at: int, operation: Operation) -> Iterator[tuple[str, Interference | None]]:
    yield "carried out", None
    if not isinstance(operation, Fork | Exit):
        yield "refused", refused(at)
        for _ in range(2):
            other = otherwise(random, operation)
            yield f"instead {other}", instead(at, other)


def agree(said: Prediction, other: Prediction) -> bool:
    """Whether everything that `said` is certain of is so in `other`, as far as that is certain itself."""
    if isinstance(said, Unpredicted) or isinstance(other, Unpredicted):
        return True
    if isinstance(other, Either):
        return all(agree(said, one) for one in other.outcomes)
    if isinstance(said, Either):
        return any(agree(one, other) for one in said.outcomes)
    return allows(said, other)


def allows(said: object, other: object) -> bool:
    """Of parts of outcomes; less may be said of what cannot be known anyway."""
    match said, other:
        case (Unpredicted() | Anything(), _) | (_, Unpredicted() | Anything()):
            return True
        case Unknown(), Unknown():
            same = all(
                getattr(said, name) in (None, getattr(other, name)) for name in ("same_as", "not_before", "not_after")
            )
            # A bound that leaves room for more than what is so is right all the same.
            bounds, those = (replace(one, same_as=None).numbers({}) for one in (said, other))
            return same and bounds.start <= those.start and those.stop <= bounds.stop
        case tuple(), tuple():
            return len(said) == len(other) and all(map(allows, said, other))
    if is_dataclass(said) and type(said) is type(other):
        return all(allows(getattr(said, field.name), getattr(other, field.name)) for field in fields(said))
    return said == other


@pytest.mark.parametrize(("name", "arch"), [("4.1", "x86_64"), ("5.10", "arm64"), ("6.1", "x86_64"), ("7.2", "x86_64")])
def test_no_certain_prediction_depends_on_what_is_open(name: str, arch: str) -> None:
    where, certain, wrong = environment(name, arch, cpus=2), 0, []
    for script in scripts(SEED, COUNT, era(name, arch)):
        random = Random(script.name)
        single = [at for at, one in enumerate(script.operations) if not isinstance(one, RunThreads)]
        for at in random.sample(single, OPENED):
            held, found = _hold(random, script, at, where)
            certain += held
            wrong += found[:1]
    assert not wrong, "\n".join(wrong)
    assert certain > COUNT * OPENED  # or nothing was held


def _hold(random: Random, script: Script, at: int, where: Environment) -> tuple[int, list[str]]:
    """How much was certain behind an operation that was open, and what of it was wrong."""
    operation = script.operations[at]

    def run(interfere: Interference | None) -> list[Prediction]:
        return ModelExecutor(where, interfere=interfere).run(script)

    runs = [(what, run(interfere)) for what, interfere in others(random, at, operation)]
    certain, wrong = 0, []
    # What is made or ended is so when everything else is certain: nothing of the kind is left half done.
    whole = effects(operation).parts & {Part.NAME, Part.NUMBERS, Part.REFERENCES}
    for carried in (False,) if whole else (False, True):
        predictions = run(opened(at, carried))
        assert isinstance(predictions[at], Unpredicted)
        certain += sum(isinstance(said, Outcome) for said in predictions[at + 1 :])
        wrong += [
            f"{script.name}: operation {at}, {operation}, was open{', though carried out' * carried}; operation "
            f"{index}, {script.operations[index]}, was certain: {describe_outcome(predictions[index])}; but "
            f"with the first {what}: {describe_outcome(variant[index])}"
            for what, variant in runs
            for index in range(len(predictions))
            if index != at and not agree(predictions[index], variant[index])
        ]
    return certain, wrong
