# SPDX-License-Identifier: MIT
"""The behaviour of a script on a kernel, in a form in which two kernels can be compared.

Every leaf of every outcome is a field and a text. What cannot be known beforehand (a descriptor's number, a time, an
address: what the model's prediction has as unknown, where it admits what was seen) is `?`, and so is what differs
between rounds on one kernel: that is no difference between kernels. The verifier's log counts where it is predicted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from typing import Any

from harness.lowering.executor import Missed, Observed
from harness.script.brief import brief
from harness.script.matching import admits
from harness.script.outcome import (
    Anything,
    Bytes,
    Either,
    Outcome,
    Prediction,
    Record,
    Unknown,
    Unpredicted,
)
from harness.script.text import describe_outcome, describe_record

OPEN = "?"
REFUSED = "!"
"""Marks a value that the prediction leaves open and that it does not admit all the same."""
Leaves = tuple[tuple[str, str], ...]
_SOMETHING = Unknown(OPEN)
_ANYTHING: Leaves = (("outcome", OPEN),)
_WORD = 8
_ADDRESSES = (range(0xFFFF << 48, 0xFFFFFFFF << 32), range(0xFFFFFFFF81 << 24, 0xFFFFFFFFFF << 24))
"""Ranges of kernel addresses: memory, x86_64's text and modules; no small number is there, negative or not."""


@dataclass(frozen=True)
class Behaviour:
    """The leaves of each operation; `lost` says at which one the machine or the agent died, after which nothing is
    known."""

    operations: tuple[Leaves, ...]
    lost: str = ""


@dataclass(frozen=True)
class Contrast:
    """The first operation in which two kernels differ, None where one of them died; and both outcomes."""

    operation: int | None
    before: str
    after: str


def behaviour(seen: Observed | Missed, predictions: Sequence[Prediction]) -> Behaviour:
    """Returns the behaviour of a script in the guest; what its predictions have as unknown is left open."""
    if isinstance(seen, Missed):
        return Behaviour((), "lost" if seen.operation is None else f"lost at operation {seen.operation}")
    returned: dict[str, int] = {}
    found = []
    for operation, prediction, outcome in zip(seen.script.operations, predictions, seen.outcomes, strict=True):
        name = getattr(operation, "name", None)
        if name is not None and isinstance(outcome.value, int):
            returned[name] = outcome.value
        found.append(tuple(_leaves(prediction, outcome, returned)))
    return Behaviour(tuple(found))


def contrast(before: Behaviour, after: Behaviour) -> Contrast | None:
    """Returns the first difference between two kernels; None when there is none."""
    if before.lost != after.lost:
        return Contrast(None, before.lost or "not lost", after.lost or "not lost")
    for index, (one, other) in enumerate(zip_longest(before.operations, after.operations, fillvalue=())):
        if not _alike(one, other):
            return Contrast(index, *_unlike(one, other))
    return None


def steady(one: Behaviour, other: Behaviour) -> Behaviour:
    """Returns what two rounds on one kernel have in common; where they differ, anything matches."""
    if one.lost or other.lost:
        return one if one.lost else other
    return Behaviour(tuple(_common(*pair) for pair in zip(one.operations, other.operations, strict=True)))


def _leaves(said: Prediction, seen: Outcome, returned: Mapping[str, int], place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(said, Either) and admits(said, seen, returned):
        yield f"{place}one of", describe_outcome(said)
        return
    known = said if isinstance(said, Outcome) and said.errno == seen.errno else None
    if seen.errno is not None:
        yield f"{place}errno", seen.errno
    elif isinstance(seen.value, int):
        yield f"{place}value", _number(known, seen.value, returned)
    if isinstance(seen.data, bytes):
        yield f"{place}data", _digits(known, seen.data, returned)
    expected = known.records if known and isinstance(known.records, tuple) else ()
    for number, record in enumerate(seen.records if isinstance(seen.records, tuple) else ()):
        said_of_it = expected[number] if number < len(expected) else None
        yield f"{place}record {number}", describe_record(_masked(said_of_it, record, returned))
    if known and not isinstance(known.log, Anything | None) and isinstance(seen.log, str):
        yield f"{place}log", str(known.log) if admits(replace(known, value=seen.value), seen, returned) else seen.log
    threads = known.each_thread if known else ()
    for thread, outcomes in enumerate(seen.each_thread):
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, Outcome):
                inner = threads[thread][number] if threads else Unpredicted("")
                yield from _leaves(inner, outcome, returned, f"{place}thread {thread}.{number} ")


def _number(known: Outcome | None, seen: int, returned: Mapping[str, int]) -> str:
    if known is None:
        return OPEN if _is_address(seen) else str(seen)
    if isinstance(known.value, int | None):
        return str(seen)
    return OPEN if admits(Outcome(value=known.value), Outcome(value=seen), returned) else f"{REFUSED}{seen}"


def _is_address(value: int) -> bool:
    return any(value & (1 << 64) - 1 in place for place in _ADDRESSES)


def _digits(known: Outcome | None, seen: bytes, returned: Mapping[str, int]) -> str:
    """Returns two digits for each byte, two question marks for one that may be anything."""
    if known is None:
        words = range(0, len(seen) - _WORD + 1, _WORD)
        return _opened(seen, (at for at in words if _is_address(int.from_bytes(seen[at : at + _WORD], "little"))))
    match known.data:
        case bytes() | None:
            return seen.hex()
        case Bytes() as said:
            numbers = [int.from_bytes(seen[one.offset : one.offset + one.size], "little") for one in said.unknown]
            fits = all(one.value.admits(its, returned) for one, its in zip(said.unknown, numbers, strict=True))
            return _opened(seen, said.gaps, 1) if fits else f"{REFUSED}{seen.hex()}"
    fits = admits(Outcome(value=0, data=known.data), Outcome(value=0, data=seen), returned)
    return OPEN * 2 * len(seen) if fits else f"{REFUSED}{seen.hex()}"


def _opened(seen: bytes, places: Iterable[int], size: int = _WORD) -> str:
    """Returns the digits, with `size` bytes left open at each of some offsets."""
    gaps = {at + offset for at in places for offset in range(size)}
    return "".join(OPEN * 2 if at in gaps else f"{byte:02x}" for at, byte in enumerate(seen))


def _masked(said: Record | Anything | None, seen: Record | Anything, returned: Mapping[str, int]) -> Record | Anything:
    """Returns the record with the unpredictable parts left open."""
    if isinstance(seen, Anything) or type(said) is not type(seen):
        return seen
    opened: dict[str, Any] = {}
    for field in fields(seen):
        value, expected = getattr(seen, field.name), getattr(said, field.name)
        fits = not isinstance(expected, int | bytes | None) and (
            isinstance(expected, Anything) or expected.admits(value, returned)
        )
        if fits:
            opened[field.name] = expected if isinstance(expected, Bytes) else _SOMETHING
    return replace(seen, **opened)


def _alike(one: Leaves, other: Leaves) -> bool:
    if _ANYTHING in (one, other):
        return True
    return len(one) == len(other) and all(
        field == its and _matches(text, theirs)
        for (field, text), (its, theirs) in zip(one, other, strict=True)
    )  # fmt: skip


def _matches(one: str, other: str) -> bool:
    """Returns whether texts are equal, of which either may leave digits open, or all; but not what it does not
    admit."""
    if one.lstrip(REFUSED) == other.lstrip(REFUSED):
        return True
    if REFUSED in (one[:1], other[:1]):
        return False
    if OPEN in (one, other):
        return True
    return len(one) == len(other) and all(a == b or OPEN in (a, b) for a, b in zip(one, other, strict=True))


def _unlike(one: Leaves, other: Leaves) -> tuple[str, str]:
    """Returns what differs in two operations, as text."""
    ours, theirs = dict(one), dict(other)
    differing = [
        field
        for field in dict.fromkeys([*ours, *theirs])
        if field not in ours or field not in theirs or not _matches(ours[field], theirs[field])
    ]
    return _format(ours, differing), _format(theirs, differing)


def _format(leaves: Mapping[str, str], chosen: Sequence[str]) -> str:
    told = [f"{field} {_on_a_line(leaves[field].lstrip(REFUSED))}" for field in chosen if field in leaves]
    return ", ".join(told) or "(nothing)"


def _on_a_line(text: str) -> str:
    return brief(text if text.isprintable() and text else repr(text))


def _common(one: Leaves, other: Leaves) -> Leaves:
    if [field for field, _ in one] != [field for field, _ in other]:
        return _ANYTHING
    return tuple((field, _open(text, theirs)) for (field, text), (_, theirs) in zip(one, other, strict=True))


def _open(one: str, other: str) -> str:
    if one == other:
        return one
    if len(one) != len(other):
        return OPEN
    return "".join(a if a == b else OPEN for a, b in zip(one, other, strict=True))
