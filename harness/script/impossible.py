"""What no outcome can be, so that nobody may expect it: it would be told as a divergence, a word about the kernel."""

from __future__ import annotations

import errno
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from harness.script.outcome import Addresses, OneOf, PerCpu, Record

if TYPE_CHECKING:
    from harness.script.expectation import Expectation

_NAMELESS = re.compile(r"errno (\d+)")
"""One that the kernel keeps to itself, such as 524, ENOTSUPP."""
_DATA = (bytes, PerCpu, Addresses, range, type(None))


def impossible(expectation: Expectation) -> tuple[str, str] | None:
    """What is wrong with it, and what to write instead; None when nothing is."""
    if not isinstance(expectation.errno, str | None):
        return (f"the errno {expectation.errno!r} is expected", "write its name, as in 'EBADF'")
    if expectation.errno is not None and (wrong := _misnamed(expectation.errno)):
        return (f"an errno {expectation.errno!r} is expected", wrong)
    if (
        expectation.errno is not None
        and (expectation.value, expectation.data, expectation.records, expectation.threads) != (None,) * 4
    ):
        return (f"{expectation.errno} is expected, and more", "what fails returns and reads nothing")
    if not isinstance(expectation.value, int | range | None):
        return (f"the value {expectation.value!r} is expected", "write a number, or a range")
    choices = expectation.data.choices if isinstance(expectation.data, OneOf) else (expectation.data,)
    if not choices or not all(isinstance(one, _DATA) for one in choices):
        return (f"the data {expectation.data!r} is expected", "write bytes, or OneOf several")
    for numbers in (expectation.value, *choices):
        if isinstance(numbers, range) and not numbers:
            return (f"a number in {numbers} is expected, where there is none", "write the other end")
    if not isinstance(expectation.log, str | None):
        return (f"the log {expectation.log!r} is expected", "write a part of its text")
    if not _are_records(expectation.records):
        return (f"the records {expectation.records!r} are expected", "write how many, or a tuple of them")
    if not _are_threads(expectation.threads, type(expectation)):
        wrong = f"the threads {expectation.threads!r} are expected"
        return (wrong, "write a tuple for each thread, of an Expectation or None for each operation")
    return None


def _misnamed(name: str) -> str:
    """What to write instead; empty when outcomes call an errno so. Two names for one number are one of them here."""
    if name in errno.errorcode.values():
        return ""
    if number := _NAMELESS.fullmatch(name):
        known = errno.errorcode.get(int(number[1]))
        return f"write {known!r}" if known else ""
    alias = errno.errorcode.get(getattr(errno, name, 0)) if name.isupper() else None
    if alias:
        return f"write {alias!r}"
    near = get_close_matches(name.upper(), errno.errorcode.values(), 1)
    return f"did you mean {near[0]!r}?" if near else "write a name as in 'EBADF'"


def _are_records(said: object) -> bool:
    if said is None or isinstance(said, int):
        return said is None or said >= 0
    return isinstance(said, tuple) and all(isinstance(one, Record) for one in said)


def _are_threads(said: object, kind: type) -> bool:
    return said is None or (
        isinstance(said, tuple)
        and all(isinstance(thread, tuple) for thread in said)
        and all(one is None or isinstance(one, kind) for thread in said for one in thread)
    )
