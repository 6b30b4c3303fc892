# SPDX-License-Identifier: MIT
"""Where an observation departs from what was said of it, for values too long to be compared by eye."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest

from harness.compare import Divergence
from harness.script.brief import brief
from harness.script.matching import admits, record_admits
from harness.script.outcome import (
    Anything,
    Bytes,
    Either,
    OneOf,
    Outcome,
    PerCpu,
    Prediction,
    Record,
    Text,
    Withheld,
)
from harness.script.text import describe_outcome, describe_record

ROW = 8
"""Bytes that are compared at once: a register, a counter, a slot of most maps."""
MOST = 4
"""Differences that are told; more are counted."""


def difference(found: Divergence) -> tuple[str, ...]:
    """Lines on what differs within data, records, a log or threads, each with its place and both sides; none for what a
    glance shows, a number or an errno."""
    said = found.prediction
    if isinstance(said, Outcome | Either) and not admits(said, found.observation, found.returned):
        lines = tuple(_outcomes(said, found.observation, found.returned))
        if lines:
            return lines
    expected = found.expectation and found.expectation.data
    seen = found.observation.data
    if isinstance(expected, bytes | OneOf | PerCpu) and isinstance(seen, bytes):
        return tuple(_data(expected, seen, {}, "expected"))
    return ()


def _outcomes(said: Outcome | Either, seen: Outcome, returned: Mapping[str, int]) -> Iterator[str]:
    if isinstance(said, Either):  # the one that comes nearest in kind
        alike = [one for one in said.outcomes if one.errno == seen.errno]
        if not alike:
            return
        said = alike[0]
    if said.errno != seen.errno:
        return
    if isinstance(said.data, bytes | Bytes | OneOf) and isinstance(seen.data, bytes):
        yield from _data(said.data, seen.data, returned)
    if isinstance(said.records, tuple) and isinstance(seen.records, tuple):
        yield from _records(said.records, seen.records, returned)
    if not isinstance(said.log, Withheld | Anything | None) and isinstance(seen.log, str):
        yield from _log(said.log, seen.log)
    for number, (thread, others) in enumerate(zip(said.each_thread, seen.each_thread, strict=False)):
        yield from _thread(number, thread, others, returned)


def _data(
    said: bytes | Bytes | OneOf | PerCpu, seen: bytes, returned: Mapping[str, int], who: str = "predicted"
) -> Iterator[str]:
    """Rows of bytes; where one of several was to be, against the choice that comes nearest."""
    if isinstance(said, OneOf):
        rows = min((_rows(Bytes(choice), seen, returned) for choice in said.choices), key=len, default=[])
    elif isinstance(said, PerCpu):
        rows = _rows(Bytes(said.of_size(len(seen))), seen, returned)
    else:
        rows = _rows(said if isinstance(said, Bytes) else Bytes(said), seen, returned)
    if len(seen) <= ROW and len(rows) <= 1:
        return
    yield from _most(
        [f"at offset {at}: {who} {before or '(nothing)'}, saw {now or '(nothing)'}" for at, before, now in rows]
    )


def _rows(said: Bytes, seen: bytes, returned: Mapping[str, int]) -> list[tuple[int, str, str]]:
    """Offset and both sides of each row that differs; an unknown byte is `??`."""
    unknown = said.gaps
    wrong = {at for at, (one, other) in enumerate(zip_longest(said.content, seen)) if one != other} - unknown
    for piece in said.unknown:
        number = int.from_bytes(seen[piece.offset : piece.offset + piece.size], "little")
        if not piece.value.admits(number, returned):
            wrong |= set(range(piece.offset, piece.offset + piece.size))
    return [
        (row * ROW, _digits(said.content, row, unknown), _digits(seen, row, ()))
        for row in sorted({at // ROW for at in wrong})
    ]


def _digits(content: bytes, row: int, unknown: Collection[int]) -> str:
    places = range(row * ROW, min((row + 1) * ROW, len(content)))
    return "".join("??" if at in unknown else f"{content[at]:02x}" for at in places)


def _records(
    said: tuple[Record | Anything, ...], seen: tuple[Record | Anything, ...], returned: Mapping[str, int]
) -> Iterator[str]:
    if len(said) != len(seen):
        yield f"predicted {len(said)} records, saw {len(seen)}"
    yield from _most(
        [
            f"record {number}: predicted {_record(one)}, saw {_record(other)}"
            for number, (one, other) in enumerate(zip_longest(said, seen))
            if one is None or other is None or not record_admits(one, other, returned)
        ]
    )


def _record(one: Record | Anything | None) -> str:
    return "(none)" if one is None else brief(describe_record(one))


def _log(said: str | Text, seen: str) -> Iterator[str]:
    """The first line that differs; where a part of the text is unknown, only if it is not in a line before."""
    if said == seen or (not isinstance(said, str) and said.admits(seen)):
        return
    for number, (one, other) in enumerate(zip_longest(str(said).splitlines(), seen.splitlines()), 1):
        if one != other and not (one and "<" in one):
            yield f"line {number} of the log: predicted {_line(one)}, saw {_line(other)}"
            return


def _line(one: str | None) -> str:
    return "(nothing)" if one is None else brief(repr(one))


def _thread(
    thread: int, said: tuple[Prediction, ...], seen: tuple[Prediction, ...], returned: Mapping[str, int]
) -> Iterator[str]:
    wrong = [
        f"thread {thread}, its operation {number}: predicted {brief(describe_outcome(one))}, "
        f"saw {brief(describe_outcome(other))}"
        for number, (one, other) in enumerate(zip(said, seen, strict=False))
        if not admits(one, other, returned)
    ]
    yield from _most(wrong)


def _most(lines: list[str]) -> Iterator[str]:
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"and {len(lines) - MOST} more such differences"
