# SPDX-License-Identifier: MIT
"""What a program left in its maps, from the operations that read them behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.check.trying import Trial
from harness.objects.loading import Stage
from harness.run.checked import Element, MapContent
from harness.script.operations import LookupElement, ReadElements
from harness.script.outcome import Outcome

_NUMBER = 8
"""Values of so many bytes are told as numbers."""
_MOST_BYTES = 64
"""More bytes of a value are not kept."""
_SLOT = 8
"""The values of a map that has one for each CPU are so many bytes apart, or a multiple of it."""


def contents(trial: Trial, outcomes: Sequence[Outcome]) -> tuple[MapContent, ...]:
    """Returns the elements of each map that could be read; of an array, those that are 0 are counted only."""
    held: dict[str, list[Element]] = {}
    zero: dict[str, int] = {}
    for at in trial.at(Stage.READ):
        step, outcome = trial.steps[at], outcomes[at]
        if outcome.errno or not isinstance(outcome.data, bytes):
            continue
        elements = held.setdefault(step.subject, [])
        match step.operation:
            case LookupElement(key=bytes(key)) if any(outcome.data):
                elements.append(_element(key, outcome.data, step.operation))
            case LookupElement():
                zero[step.subject] = zero.get(step.subject, 0) + 1
            case ReadElements():
                elements.extend(_elements(outcome.data, outcome.value, step.operation))
    return tuple(MapContent(name, tuple(elements), zero.get(name, 0)) for name, elements in held.items())


def _elements(data: bytes, count: object, operation: ReadElements) -> Iterator[Element]:
    if not isinstance(count, int) or not count:
        return
    each = len(data) // count
    for start in range(0, each * count, each):
        key, value = data[start : start + operation.key_size], data[start + operation.key_size : start + each]
        yield _element(key, value, operation)


def _element(key: bytes, value: bytes, operation: LookupElement | ReadElements) -> Element:
    if not operation.per_cpu:
        return Element(_said(key), _said(value))
    slot = -(-operation.value_size // _SLOT) * _SLOT
    each = (value[start : start + operation.value_size] for start in range(0, len(value), slot))
    return Element(_said(key), " | ".join(map(_said, each)))


def _said(content: bytes) -> str:
    """Returns a number, also as hexadecimal where that is another word; else the bytes."""
    if len(content) > _NUMBER:
        more = f"... ({len(content)} bytes)" if len(content) > _MOST_BYTES else ""
        return content[:_MOST_BYTES].hex(" ") + more
    number = int.from_bytes(content, "little")
    return f"{number} ({number:#x})" if number > 9 else str(number)
