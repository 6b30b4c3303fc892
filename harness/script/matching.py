# SPDX-License-Identifier: MIT
"""Matching of predictions and expectations with observations.

`admits(said, seen, returned)` holds a prediction or an expectation against an observation. Both sides may be patterns,
as when an expectation is held against a prediction: then it asks whether something could match both. Two patterns of
different kinds are not compared, and do not contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import gcd
from typing import Any, get_args

from harness.script.outcome import (
    ANY,
    Addresses,
    Anything,
    Bytes,
    Data,
    Either,
    Log,
    Number,
    OneOf,
    Outcome,
    PerCpu,
    Piece,
    Prediction,
    Record,
    Records,
    Sample,
    Threads,
    Unknown,
    Withheld,
)

Returned = Mapping[str, int]
"""The values that a script's named operations returned so far."""
_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in get_args(Record)}


def admits(said: Prediction, seen: Prediction, returned: Returned) -> bool:
    """Returns whether `seen` matches `said`. Where nothing is said, anything matches."""
    if not isinstance(said, Outcome):
        return not isinstance(said, Either) or any(admits(one, seen, returned) for one in said.outcomes)
    if not isinstance(seen, Outcome):
        return not isinstance(seen, Either) or any(admits(said, one, returned) for one in seen.outcomes)
    return (
        said.errno == seen.errno
        and _numbers(said.value, seen.value, returned)
        and _data(said.data, seen.data, returned)
        and _logs(said.log, seen.log)
        and _records(said.records, seen.records, returned)
        and _threads(said.threads, seen.threads, returned)
    )


def record_admits(said: Record | Anything, seen: Record | Anything, returned: Returned) -> bool:
    """Returns the same for one record, field by field."""
    if said is ANY or seen is ANY:
        return True
    return type(said) is type(seen) and all(
        _field(getattr(said, name), getattr(seen, name), returned) for name in _NAMES[type(said)]
    )


def _numbers(said: Number, seen: Number, returned: Returned) -> bool:
    if said is seen or said is ANY or seen is ANY:
        return True
    if said is None or seen is None:
        return False
    if isinstance(said, int) and isinstance(seen, int):
        return said == seen
    said = said.numbers(returned) if isinstance(said, Unknown) else said
    seen = seen.numbers(returned) if isinstance(seen, Unknown) else seen
    if isinstance(said, int):
        return said in seen if isinstance(seen, range) else said == seen
    return seen in said if isinstance(seen, int) else _meet(said, seen)


def _meet(one: range, other: range) -> bool:
    """Returns whether two ranges have a number in common; there may be too many to look at each."""
    one, other = (numbers if numbers.step > 0 else numbers[::-1] for numbers in (one, other))
    common, apart = gcd(one.step, other.step), other.start - one.start
    if apart % common:
        return False
    steps = apart // common * pow(one.step // common, -1, other.step // common) % (other.step // common)
    first, least = one.start + steps * one.step, max(one.start, other.start)
    period = one.step // common * other.step
    if first < least:
        first += -((first - least) // period) * period
    return first in one and first in other


def _data(said: Data | Anything | None, seen: Data | Anything | None, returned: Returned) -> bool:
    if said is seen or said is ANY or seen is ANY:
        return True
    if said is None or seen is None:
        return False
    if isinstance(seen, bytes):
        return _bytes(said, seen, returned)
    if isinstance(said, bytes):
        return _bytes(seen, said, returned)
    match said, seen:
        case (OneOf(choices), other) | (other, OneOf(choices)):
            return any(_data(one, other, returned) for one in choices)
        case (PerCpu() as each, Bytes() as other) | (Bytes() as other, PerCpu() as each):
            return other.admits(each.of_size(len(other.content)), returned)
        case (range() as numbers, Bytes() as other) | (Bytes() as other, range() as numbers):
            return _numerals(other, numbers, returned)
        case range(), range():
            return _meet(said, seen)
        case Bytes(), Bytes():
            known = set(range(len(said.content))) - said.gaps - seen.gaps
            return len(said.content) == len(seen.content) and all(said.content[at] == seen.content[at] for at in known)
        case (Addresses(size), Bytes(content)) | (Bytes(content), Addresses(size)):
            return size == len(content)
    return said == seen


def _bytes(said: Data, seen: bytes, returned: Returned) -> bool:
    match said:
        case bytes():
            return said == seen
        case Bytes() | Addresses():
            return said.admits(seen, returned)
        case OneOf(choices):
            return any(_data(one, seen, returned) for one in choices)
        case PerCpu():
            return seen == said.of_size(len(seen))
        case range():
            return bool(seen) and int.from_bytes(seen, "little") in said


def _numerals(said: Bytes, numbers: range, returned: Returned) -> bool:
    """Returns whether bytes are a number of a range; where a part of them is unknown, the remaining numbers are not
    compared."""
    match said:
        case Bytes(content, (Piece(0, size, value),)) if size == len(content):
            return _meet(value.numbers(returned), numbers)
        case Bytes(content, ()):
            return _bytes(numbers, content, returned)
    return True


def _logs(said: Log, seen: Log) -> bool:
    if said is seen or said is ANY or seen is ANY:
        return True
    if said is None or seen is None or isinstance(said, Withheld) or isinstance(seen, Withheld):
        return said == seen
    if isinstance(seen, str):
        return said == seen if isinstance(said, str) else said.admits(seen)
    return seen.admits(said) if isinstance(said, str) else True


def _records(said: Records, seen: Records, returned: Returned) -> bool:
    """Compares records. Where the time of samples is unknown, it must not go back from one to the next."""
    if said is seen or said is ANY or seen is ANY:
        return True
    if said is None or seen is None or len(said) != len(seen):
        return False
    pairs = tuple(zip(said, seen, strict=True))
    times = [
        other.time
        for one, other in pairs
        if isinstance(one, Sample) and isinstance(one.time, Unknown)
        if isinstance(other, Sample) and isinstance(other.time, int)
    ]
    return times == sorted(times) and all(record_admits(one, other, returned) for one, other in pairs)


def _field(said: Any, seen: Any, returned: Returned) -> bool:
    """Compares fields of records, which are numbers or bytes, each perhaps a pattern."""
    if isinstance(said, bytes | Bytes) and isinstance(seen, bytes | Bytes):
        return _data(said, seen, returned)
    if isinstance(said, bytes | Bytes) or isinstance(seen, bytes | Bytes):
        return said is ANY or seen is ANY
    return _numbers(said, seen, returned)


def _threads(said: Threads, seen: Threads, returned: Returned) -> bool:
    if said is seen or said is ANY or seen is ANY:
        return True
    if said is None or seen is None:
        return False
    return [len(thread) for thread in said] == [len(thread) for thread in seen] and all(
        admits(one, other, returned) for pair in zip(said, seen, strict=True) for one, other in zip(*pair, strict=True)
    )
