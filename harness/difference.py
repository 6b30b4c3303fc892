# SPDX-License-Identifier: MIT
"""The differences between an observation and a prediction, for values too long to be compared at a glance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest

from harness.compare import Divergence
from harness.script.brief import brief
from harness.script.matching import admits, record_admits
from harness.script.outcome import (
    Anything,
    Bytes,
    Containing,
    Data,
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
"""The bytes that are compared at once: a register, a counter, a slot of most maps."""
MOST = 4
"""The most differences that are shown; more are counted."""


def difference(found: Divergence) -> tuple[str, ...]:
    """Returns lines on what differs within data, records, a log or threads, each with its place and both sides; none
    for values that are compared at a glance, numbers and errnos."""
    for who, said in (("predicted", found.prediction), ("expected", found.expectation)):
        if lines := tuple(_lines(said, found.observation, found.returned, who)):
            return lines
    return ()


def _lines(said: Prediction | None, seen: Outcome, returned: Mapping[str, int], who: str) -> Iterator[str]:
    if not isinstance(said, Outcome | Either) or admits(said, seen, returned):
        return
    if isinstance(said, Either):  # the one that comes nearest in kind
        alike = [one for one in said.outcomes if one.errno == seen.errno]
        if not alike:
            return
        said = alike[0]
    if said.errno != seen.errno:
        return
    if isinstance(said.data, bytes | Bytes | OneOf | PerCpu) and isinstance(seen.data, bytes):
        yield from _data(said.data, seen.data, returned, who)
    if isinstance(said.records, tuple) and isinstance(seen.records, tuple):
        yield from _records(said.records, seen.records, returned, who)
    if not isinstance(said.log, Withheld | Containing | Anything | None) and isinstance(seen.log, str):
        yield from _log(said.log, seen.log, who)
    for number, (thread, others) in enumerate(zip(said.each_thread, seen.each_thread, strict=False)):
        yield from _thread(number, thread, others, returned, who)


def _data(said: Data, seen: bytes, returned: Mapping[str, int], who: str) -> Iterator[str]:
    """Yields rows of bytes; of several choices, the one that comes nearest is compared."""
    choices = said.choices if isinstance(said, OneOf) else (said,)
    rows = min((_rows(one, seen, returned) for one in _bytes(choices, len(seen))), key=len, default=[])
    if len(seen) <= ROW and len(rows) <= 1:
        return
    yield from _most(
        [f"at offset {at}: {who} {before or '(nothing)'}, saw {now or '(nothing)'}" for at, before, now in rows]
    )


def _bytes(choices: Iterable[Data], size: int) -> Iterator[Bytes]:
    """Yields the choices that are known byte for byte."""
    for one in choices:
        match one:
            case bytes():
                yield Bytes(one)
            case Bytes():
                yield one
            case PerCpu():
                yield Bytes(one.of_size(size))


def _rows(said: Bytes, seen: bytes, returned: Mapping[str, int]) -> list[tuple[int, str, str]]:
    """Returns offset and both sides of each row that differs; an unknown byte is `??`."""
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
    said: tuple[Record | Anything, ...], seen: tuple[Record | Anything, ...], returned: Mapping[str, int], who: str
) -> Iterator[str]:
    if len(said) != len(seen):
        yield f"{who} {len(said)} records, saw {len(seen)}"
    yield from _most(
        [
            f"record {number}: {who} {_record(one)}, saw {_record(other)}"
            for number, (one, other) in enumerate(zip_longest(said, seen))
            if one is None or other is None or not record_admits(one, other, returned)
        ]
    )


def _record(one: Record | Anything | None) -> str:
    return "(none)" if one is None else brief(describe_record(one))


def _log(said: str | Text, seen: str, who: str) -> Iterator[str]:
    """Yields the first line that differs; where a part of the text is unknown, only if it is not in a line before."""
    if said == seen or (not isinstance(said, str) and said.admits(seen)):
        return
    for number, (one, other) in enumerate(zip_longest(str(said).splitlines(), seen.splitlines()), 1):
        if one != other and not (one and "<" in one):
            yield f"line {number} of the log: {who} {_line(one)}, saw {_line(other)}"
            return


def _line(one: str | None) -> str:
    return "(nothing)" if one is None else brief(repr(one))


def _thread(
    thread: int, said: tuple[Prediction, ...], seen: tuple[Prediction, ...], returned: Mapping[str, int], who: str
) -> Iterator[str]:
    wrong = [
        f"thread {thread}, its operation {number}: {who} {brief(describe_outcome(one))}, "
        f"saw {brief(describe_outcome(other))}"
        for number, (one, other) in enumerate(zip(said, seen, strict=False))
        if not admits(one, other, returned)
    ]
    yield from _most(wrong)


def _most(lines: list[str]) -> Iterator[str]:
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"and {len(lines) - MOST} more such differences"
