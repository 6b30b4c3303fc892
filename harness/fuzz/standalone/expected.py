# SPDX-License-Identifier: MIT
"""What an operation should give, and what it gave, as far as a C program can tell: errnos, numbers and bytes."""

from __future__ import annotations

import errno as errnos
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.fuzz.standalone.readings import Reading
from harness.fuzz.standalone.steps import number, text
from harness.script.outcome import (
    ANY,
    NOT_CARRIED_OUT,
    Anything,
    Bytes,
    Either,
    OneOf,
    Outcome,
    PerCpu,
    Prediction,
    Unknown,
    Withheld,
)

_U64 = (1 << 64) - 1
_WORD = 8
_ADDRESSES = range(0xFFFF << 48, 0xFFFFFFFF << 32)
"""Where kernels have stacks, maps and structures; behind it are small negative numbers, too."""


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


def as_seen(seen: Outcome, allowed: Sequence[Expected], *, makes: bool) -> Expected:
    """Returns what was seen, as far as it is the same each time; raises LookupError for what no system call gave.

    What is allowed says what that is: what it leaves open is open here, too. Where it has errnos alone, all counts but
    the number that an operation gives of what it `makes`, a descriptor. Addresses of the kernel never count."""
    log = seen.log if isinstance(seen.log, str) and any(one.log is not None for one in allowed) else None
    if seen.errno == NOT_CARRIED_OUT:
        raise LookupError("what was seen is that it was not carried out")
    if seen.errno:
        _number(seen.errno)
        return Expected(seen.errno, log=log)
    assert isinstance(seen.value, int)
    allowed = [one for one in allowed if not one.errno]
    least, most = _as_seen(seen.value & _U64, allowed, makes)
    if not isinstance(seen.data, bytes) or (allowed and not any(one.data for one in allowed)):
        return Expected("", least, most, log=log)
    return Expected("", least, most, ((seen.data, _counting(seen.data, allowed)),), log)


def _as_seen(value: int, allowed: Sequence[Expected], makes: bool) -> tuple[int | None, int | None]:
    if any(one.least is not None and one.least == one.most for one in allowed) or not (allowed or makes):
        return (None, None) if value in _ADDRESSES else (value, value)
    pairs = ((one.least, one.most) for one in allowed if one.least is not None and one.most is not None)
    return next(((least, most) for least, most in pairs if least <= value <= most), (None, None))


def _counting(data: bytes, allowed: Sequence[Expected]) -> bytes:
    """The mask of bytes that are no address, and that count in all that is allowed."""
    masks = [mask for one in allowed for _, mask in one.data if len(mask) == len(data)]
    for at in range(0, len(data) - _WORD + 1, _WORD):
        if int.from_bytes(data[at : at + _WORD], "little") in _ADDRESSES:
            masks.append(b"\xff" * at + bytes(_WORD) + b"\xff" * (len(data) - at - _WORD))
    return bytes(min((mask[at] for mask in masks), default=0xFF) for at in range(len(data)))


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
