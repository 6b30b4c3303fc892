# SPDX-License-Identifier: MIT
"""Predictions that hold for a release whether or not it has the changes that nobody has looked up for it.

Such a kernel is judged by several sets of rules: those without any of these changes, those with all of them, and those
with each of them alone and with all but each. What all of them predict is predicted; anything else is unpredicted, and
the reason names a change that it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.model.environment import Environment
from harness.model.eras import doubtful
from harness.model.upstream.change import Seen
from harness.release import dotted
from harness.script.outcome import Prediction, Unpredicted
from harness.script.reason import Gap, Reason


def possible(environment: Environment) -> tuple[Environment, ...]:
    """Returns the kernels it may be; only the kernel itself where nothing of its release is unchecked, or where it is
    supposed what it has. The first has no such change."""
    if environment.supposed is not None:
        return (environment,)
    every = frozenset(doubtful(environment.era, environment.arch))
    return tuple(replace(environment, supposed=supposed) for supposed in dict.fromkeys(_subsets(every)))


def _subsets(every: frozenset[Seen]) -> Iterator[frozenset[Seen]]:
    ordered = sorted(every, key=lambda seen: (seen.since, seen.sentence))
    yield frozenset()
    yield from (frozenset({seen}) for seen in ordered)
    yield from (every - {seen} for seen in ordered)
    yield every


def common(kernels: Sequence[Environment], predictions: Sequence[Prediction]) -> Prediction:
    """Returns the prediction for one operation that holds for all `kernels`, each of which has its own of
    `predictions`."""
    first = predictions[0]
    for kernel, other in zip(kernels, predictions, strict=True):
        if other is not first and other != first:
            deadly = any(isinstance(one, Unpredicted) and one.deadly for one in predictions)
            return Unpredicted(Reason(_why(kernel), Gap.UNCHECKED), deadly=deadly)
    return first


def _why(kernel: Environment) -> str:
    """Returns why the prediction for a kernel differs from that without any change; the first kernel that differs has
    just the change it is about, if that one is enough for a difference."""
    seen = min(kernel.supposed or (), key=lambda seen: (seen.since, seen.sentence))
    return (
        f"changed between {dotted(seen.after)} and {dotted(seen.since)}, {kernel.era} was not checked: "
        f"{seen.sentence.removesuffix('.')}"
    )
