"""What a clause says of one operation, written by hand: the model is not the only one to speak for the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from harness.script.impossible import impossible
from harness.script.malformed import Malformed
from harness.script.outcome import (
    Addresses,
    Bytes,
    Either,
    OneOf,
    Outcome,
    PerCpu,
    Piece,
    Prediction,
    Record,
    Text,
    Unknown,
    Unpredicted,
    Value,
    Withheld,
)


@dataclass(frozen=True)
class Expectation:
    """Of one operation: that it fails with `errno`; or that it succeeds, and then whatever else is given.

    `value` is what it returns, `data` what it reads, `records` how many records there are, or which, fields of them
    that are None left open; None says nothing of it. A range is for a number (as data, a little-endian one) that hangs
    on the order of concurrent operations.
    `log` is a part of the verifier's log, of failures too. `threads` are for each thread's operations, None where it
    does not matter.
    """

    errno: str | None = None
    value: int | range | None = None
    data: bytes | OneOf | PerCpu | Addresses | range | None = None
    records: int | tuple[Record, ...] | None = None
    log: str | None = None
    threads: tuple[tuple[Expectation | None, ...], ...] | None = None

    def __post_init__(self) -> None:
        """Malformed for an errno that no kernel can return by that name, and for what no outcome can be: it would be
        told as a divergence, which is a word about the kernel."""
        if wrong := impossible(self):
            raise Malformed(wrong[0], remedy=wrong[1])

    def admits(self, observation: Outcome, returned: Mapping[str, int]) -> bool:
        """Whether `observation` is what is expected; a log that nobody asked for is not."""
        return self.allows(observation, returned) and self._asked(observation)

    def allows(self, outcome: Outcome | Either, returned: Mapping[str, int]) -> bool:
        """Whether `outcome`, which may be a prediction and leave things open, does not contradict what is expected."""
        if isinstance(outcome, Either):
            return any(self.allows(one, returned) for one in outcome.outcomes)
        return (
            outcome.errno == self.errno
            and (self.value is None or _value(outcome.value, self.value, returned))
            and (self.data is None or _data(outcome.data, self.data, returned))
            and (self.records is None or _records(outcome.records, self.records, returned))
            and (self.log is None or _log(outcome.log, self.log))
            and (self.threads is None or _threads(outcome.threads, self.threads, returned))
        )

    def _asked(self, observation: Prediction) -> bool:
        """Whether there is a log wherever a part of one is expected."""
        if not isinstance(observation, Outcome):
            return False
        inner = (
            pair
            for said in zip(observation.threads or (), self.threads or (), strict=False)
            for pair in zip(*said, strict=True)
        )
        return (self.log is None or isinstance(observation.log, str)) and all(
            expected is None or expected._asked(seen) for seen, expected in inner
        )

    def __str__(self) -> str:
        parts = [self.errno or ("success" if self.value is None else _number(self.value))]
        if self.data is not None:
            parts.append(f"data {_words(self.data)}")
        if self.records is not None:
            count = self.records if isinstance(self.records, int) else len(self.records)
            parts.append(f"{count} records" + ("" if count == self.records else f": {self.records}"))
        if self.log is not None:
            parts.append(f"log with {self.log!r}")
        for thread in self.threads or ():
            parts.append(f"[{'; '.join(str(inner or 'anything') for inner in thread)}]")
        return ", ".join(parts)


SUCCESS = Expectation()


def _number(number: int | range) -> str:
    return f"{number[0]} to {number[-1]}" if isinstance(number, range) else str(number)


def _value(said: Value | None, expected: int | range, returned: Mapping[str, int]) -> bool:
    if isinstance(expected, range):
        return said.admits_any(expected, returned) if isinstance(said, Unknown) else said in expected
    return said.admits(expected, returned) if isinstance(said, Unknown) else said == expected


def _data(
    said: bytes | Bytes | OneOf | Addresses | None,
    expected: bytes | OneOf | PerCpu | Addresses | range,
    returned: Mapping[str, int],
) -> bool:
    if isinstance(expected, OneOf):
        return any(_data(said, choice, returned) for choice in expected.choices)
    if isinstance(expected, PerCpu):
        content = said.content if isinstance(said, Bytes) else said
        return isinstance(content, bytes) and _data(said, expected.of_size(len(content)), returned)
    if isinstance(expected, range):
        return _numeral(said, expected, returned)
    if isinstance(expected, Addresses):
        return expected.admits(said, returned) if isinstance(said, bytes) else said == expected
    if isinstance(said, Bytes | OneOf | Addresses):
        return said.admits(expected, returned)
    return said == expected


def _numeral(said: bytes | Bytes | OneOf | Addresses | None, expected: range, returned: Mapping[str, int]) -> bool:
    """Bytes that are a number, and one of a range. Where a prediction leaves a part of them open, it is not looked at
    which numbers remain."""
    match said:
        case OneOf(choices):
            return any(_numeral(choice, expected, returned) for choice in choices)
        case Bytes(content, (Piece(0, size, value),)) if size == len(content):
            return value.admits_any(expected, returned)
        case Bytes(content, unknown) if unknown:
            return True
        case Bytes(content) | bytes(content):
            return bool(content) and int.from_bytes(content, "little") in expected
    return False


def _records(said: tuple[Record, ...] | None, expected: int | tuple[Record, ...], returned: Mapping[str, int]) -> bool:
    if said is None or isinstance(expected, int):
        return said is not None and len(said) == expected
    return len(said) == len(expected) and all(_record(*pair, returned) for pair in zip(said, expected, strict=True))


def _record(said: Record, expected: Record, returned: Mapping[str, int]) -> bool:
    wanted = {field.name: getattr(expected, field.name) for field in fields(expected)}
    return type(said) is type(expected) and all(
        _leaf(getattr(said, name), value, returned) for name, value in wanted.items() if value is not None
    )


def _leaf(said: object, expected: object, returned: Mapping[str, int]) -> bool:
    """Either may leave something open; what both say must be the same."""
    match said, expected:
        case Unknown(), int():
            return said.admits(expected, returned)
        case Bytes(), bytes():
            return said.admits(expected, returned)
        case bytes(), Bytes():
            return expected.admits(said, returned)
        case Bytes(), Bytes():
            gaps = {
                at
                for piece in (*said.unknown, *expected.unknown)
                for at in range(piece.offset, piece.offset + piece.size)
            }
            known = enumerate(zip(said.content, expected.content, strict=False))
            return len(said.content) == len(expected.content) and all(a == b or at in gaps for at, (a, b) in known)
    return said == expected


def _words(data: bytes | OneOf | PerCpu | Addresses | range) -> str:
    if isinstance(data, range):
        return _number(data)
    if isinstance(data, Addresses):
        return f"kernel addresses, then zeros up to {data.size} bytes"
    if isinstance(data, PerCpu):
        others = "the same" if data.others is None else data.others.hex()
        return f"{data.first.hex()}, and {others} for each further CPU"
    return " or ".join(choice.hex() for choice in (data.choices if isinstance(data, OneOf) else (data,)))


def _threads(
    said: tuple[tuple[Prediction, ...], ...] | None,
    expected: tuple[tuple[Expectation | None, ...], ...],
    returned: Mapping[str, int],
) -> bool:
    return (
        said is not None
        and [len(thread) for thread in said] == [len(thread) for thread in expected]
        and all(
            inner is None or isinstance(outcome, Unpredicted) or inner.allows(outcome, returned)
            for pair in zip(said, expected, strict=True)
            for outcome, inner in zip(*pair, strict=True)
        )
    )


def _log(said: str | Text | Withheld | None, expected: str) -> bool:
    """A prediction that leaves the text open, or a part of it, contradicts nothing."""
    return not isinstance(said, str) or expected in said
