# SPDX-License-Identifier: MIT
"""The prediction that covers the predictions for several orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from harness.script.outcome import (
    Anything,
    Bytes,
    Data,
    Either,
    Log,
    Outcome,
    Piece,
    Prediction,
    Record,
    Records,
    Unknown,
    Unpredicted,
    Value,
)

WHY = "which of concurrent operations comes first"
WORD = 8
"""The size in bytes of the counters in map values; a value whose size is a multiple of it is merged counter by
counter."""


@dataclass(frozen=True)
class AnyOrder:
    """A text with these lines, which several CPUs wrote in an unknown order."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"<in any order>{''.join(self.lines)}"

    def admits(self, observed: str) -> bool:
        """Returns whether the text has these lines, each equally often."""
        return _lines(observed) == sorted(self.lines)


def merge(predictions: Sequence[Prediction]) -> Prediction:
    """Returns one prediction that admits whatever one of `predictions` admits, numbers between theirs, and lines of
    their texts in other orders."""
    first = predictions[0]
    if all(prediction is first or prediction == first for prediction in predictions):
        return first
    shapes: dict[object, list[Outcome]] = {}
    for prediction in predictions:
        if isinstance(prediction, Unpredicted | Anything):
            return prediction
        for outcome in prediction.outcomes if isinstance(prediction, Either) else (prediction,):
            shapes.setdefault(_shape(outcome), []).append(outcome)
    if any(_texts_differ(outcomes) for outcomes in shapes.values()):
        return Unpredicted(f"which text there is: {WHY}")
    merged = tuple(_merge(outcomes) for outcomes in shapes.values())
    return merged[0] if len(merged) == 1 else Either(merged)


def _shape(outcome: Prediction) -> object:
    """Returns the shape of an outcome: outcomes with equal shapes differ in numbers only."""
    if not isinstance(outcome, Outcome):
        return type(outcome)
    return (
        outcome.errno,
        _length(outcome.data),
        tuple(map(_outline, outcome.records)) if isinstance(outcome.records, tuple) else outcome.records,
        None if outcome.threads is None else tuple(tuple(map(_shape, thread)) for thread in outcome.each_thread),
    )


def _outline(record: Record | Anything) -> object:
    """Returns the shape of a record: records with equal shapes differ only in the numbers that their data consists
    of."""
    if isinstance(record, Anything):
        return record
    values = (getattr(record, field.name) for field in fields(record))
    return type(record), tuple(_length(value) if isinstance(value, bytes | Bytes | None) else Value for value in values)


def _length(data: Data | Anything | None) -> object:
    """Returns the number of bytes, or, where no number can lie between two choices, the choices themselves."""
    if isinstance(data, Bytes):
        return len(data.content)
    return len(data) if isinstance(data, bytes) else data


def _merge(outcomes: Sequence[Outcome]) -> Outcome:
    first = outcomes[0]
    if all(outcome == first for outcome in outcomes):
        return first
    threads = zip(*(outcome.each_thread for outcome in outcomes), strict=True)
    return Outcome(
        value=None
        if first.value is None
        else _hull(outcome.value for outcome in outcomes if isinstance(outcome.value, int | Unknown)),
        errno=first.errno,
        data=_data([outcome.data for outcome in outcomes]),
        log=_log(outcomes),
        records=_records([outcome.records for outcome in outcomes]) if isinstance(first.records, tuple) else None,
        threads=None
        if first.threads is None
        else tuple(tuple(merge(inner) for inner in zip(*threads, strict=True)) for threads in threads),
    )


def _log(outcomes: Sequence[Outcome]) -> Log:
    first = outcomes[0].log
    if isinstance(first, str) and any(outcome.log != first for outcome in outcomes):
        return AnyOrder(tuple(first.splitlines(keepends=True)))
    return first


def _texts_differ(outcomes: Sequence[Outcome]) -> bool:
    """Returns whether more than the order of the lines differs."""
    first, *others = (outcome.log for outcome in outcomes)
    different = [other for other in others if other != first]
    return bool(different) and not (
        isinstance(first, str) and all(isinstance(other, str) and _lines(other) == _lines(first) for other in different)
    )


def _lines(text: str) -> list[str]:
    return sorted(text.splitlines(keepends=True))


def _records(found: Sequence[Records]) -> Records:
    first, *others = (records for records in found if isinstance(records, tuple))
    return tuple(map(_record, zip(first, *others, strict=True)))


def _record(records: Sequence[Any]) -> Any:
    values = {field.name: [getattr(record, field.name) for record in records] for field in fields(records[0])}
    changes: dict[str, Any] = {name: _field(found) for name, found in values.items()}
    return replace(records[0], **changes)


def _field(found: Sequence[Any]) -> object:
    return _data(found) if isinstance(found[0], bytes | Bytes | None) else _hull(found)


def _hull(values: Iterable[Value | None]) -> Value:
    """Returns the number that all values are, or one between the least and the greatest."""
    found = [value for value in values if value is not None]
    if all(value == found[0] for value in found):
        return found[0]
    least = [value.least if isinstance(value, Unknown) else value for value in found]
    most = [value.most if isinstance(value, Unknown) else value for value in found]
    return Unknown(
        WHY,
        None if None in least else min(number for number in least if number is not None),
        None if None in most else max(number for number in most if number is not None),
    )


def _data(found: Sequence[Data | Anything | None]) -> Data | Anything | None:
    if all(data == found[0] for data in found):
        return found[0]
    parts = [data if isinstance(data, Bytes) else Bytes(data) for data in found if isinstance(data, bytes | Bytes)]
    content, pieces = bytearray(parts[0].content), []
    size = WORD if len(content) % WORD == 0 else 4 if len(content) % 4 == 0 else 1
    for offset in range(0, len(content), size):
        number = _hull(_number(part, offset, size) for part in parts)
        if isinstance(number, int):
            content[offset : offset + size] = number.to_bytes(size, "little")
        else:
            pieces.append(Piece(offset, size, number))
    return Bytes(bytes(content), tuple(pieces))


def _number(data: Bytes, offset: int, size: int) -> Value:
    inside = [piece for piece in data.unknown if piece.offset < offset + size and offset < piece.offset + piece.size]
    if not inside:
        return int.from_bytes(data.content[offset : offset + size], "little")
    if (inside[0].offset, inside[0].size) == (offset, size):
        return inside[0].value
    return Unknown(inside[0].value.why)
