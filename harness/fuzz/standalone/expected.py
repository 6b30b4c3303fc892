# SPDX-License-Identifier: MIT
"""What an operation should give, as far as a C program can tell: a choice of errnos, numbers and bytes."""

from __future__ import annotations

import errno as errnos
from collections.abc import Iterator
from dataclasses import dataclass

from harness.fuzz.standalone.readings import Reading
from harness.fuzz.standalone.steps import number, text
from harness.script.outcome import ANY, Anything, Bytes, Either, OneOf, Outcome, PerCpu, Prediction, Unknown, Withheld

_U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Expected:
    """One outcome: an errno, or a number from `least` to `most` (both modulo 2**64; any number without them), and one
    of several byte strings of which only bits of the mask behind each count (any bytes when empty), and a text."""

    errno: str = ""
    least: int | None = None
    most: int | None = None
    data: tuple[tuple[bytes, bytes], ...] = ()
    log: str | None = None

    def admits(self, seen: Outcome) -> bool:
        """Returns whether an observation is this outcome."""
        if self.errno or seen.errno:
            return self.errno == (seen.errno or "") and self.log in (None, seen.log)
        assert isinstance(seen.value, int)
        if self.least is not None and self.most is not None and not self.least <= seen.value & _U64 <= self.most:
            return False
        if self.data and not any(_same(seen.data, *one) for one in self.data):
            return False
        return self.log in (None, seen.log)

    def condition(self, reading: Reading, places: dict[int, int]) -> str:
        """Returns the condition in C, of `error`, `value` and the bytes that steps copied to `places`."""
        parts = [f"error == {_named(self.errno) if self.errno else 0}"]
        if not self.errno and self.least is not None and self.most is not None:
            if self.least == self.most:
                parts.append(f"value == {number(self.least)}")
            else:
                parts += [f"value >= {number(self.least)}"] if self.least else []
                parts += [f"value <= {number(self.most)}"] if self.most < _U64 else []
        if not self.errno and self.data and reading.data is not None:
            step = reading.data
            choices = [
                f"same({step}, {places[step]}, {text(content)}, {_mask(mask)}, {len(content)})"
                for content, mask in self.data
            ]
            parts.append(f"({' || '.join(choices)})" if len(choices) > 1 else choices[0])
        if self.log is not None and reading.log is not None:
            content = self.log.encode("latin-1") + b"\0"
            parts.append(f"!memcmp(answers + {places[reading.log]}, {text(content)}, {len(content)})")
        return " && ".join(parts)


def expected(prediction: Prediction, length: int) -> tuple[Expected, ...]:
    """Returns the outcomes that a prediction allows, of which bytes are `length` long; none where it allows anything.
    Raises LookupError for one that cannot be told here."""
    match prediction:
        case Either(outcomes):
            return tuple(_one(outcome, length) for outcome in outcomes)
        case Outcome():
            return (_one(prediction, length),)
    return ()


def _one(outcome: Outcome, length: int) -> Expected:
    if outcome.errno:
        _number(outcome.errno)
        return Expected(outcome.errno, log=_log(outcome))
    least, most = _bounds(outcome.value)
    return Expected("", least, most, tuple(_data(outcome.data, length)), _log(outcome))


def _bounds(value: object) -> tuple[int | None, int | None]:
    match value:
        case int():
            return value & _U64, value & _U64
        case Unknown(same_as=None, not_before=None, not_after=None):
            return _bounds(value.numbers({}))
        case range():
            if value.step != 1 or not 0 <= value.start < min(value.stop, _U64 + 1):
                return None, None
            return value.start, min(value.stop - 1, _U64)
    return None, None


def _data(data: object, length: int) -> Iterator[tuple[bytes, bytes]]:
    match data:
        case bytes():
            yield data, b"\xff" * len(data)
        case Bytes(content=content):
            yield content, bytes(0 if at in data.gaps else 255 for at in range(len(content)))
        case OneOf(choices):
            yield from ((one, b"\xff" * len(one)) for one in choices)
        case PerCpu():
            yield data.of_size(length), b"\xff" * length
        case None | Anything():
            return
        case _:
            raise LookupError(f"{data!r} has no form in C")


def _log(outcome: Outcome) -> str | None:
    if isinstance(outcome.log, str):
        return outcome.log
    if outcome.log is None or outcome.log is ANY or isinstance(outcome.log, Withheld):
        return None
    raise LookupError("a text that is known in parts has no form in C")


def _same(seen: object, content: bytes, mask: bytes) -> bool:
    if not isinstance(seen, bytes) or len(seen) != len(content):
        return False
    return all((one ^ other) & counts == 0 for one, other, counts in zip(seen, content, mask, strict=True))


def _mask(mask: bytes) -> str:
    return "NULL" if mask == b"\xff" * len(mask) else text(mask)


def _named(name: str) -> str:
    return name if hasattr(errnos, name) else str(_number(name))


def _number(name: str) -> int:
    """The number of an errno; those without a name in Python are written `errno 524`."""
    known = getattr(errnos, name, None)
    if isinstance(known, int):
        return known
    digits = name.rpartition(" ")[2]
    if not digits.isdecimal():
        raise LookupError(f"{name} is no errno of user space")
    return int(digits)
