# SPDX-License-Identifier: MIT
"""Expectations that no outcome can meet, which would be reported as divergences of the kernel."""

from __future__ import annotations

import errno as errnos
import re
from difflib import get_close_matches

from harness.script.outcome import Addresses, Bytes, OneOf, Outcome, PerCpu, Record, Unknown

_NAMELESS = re.compile(r"errno (\d+)")
"""An errno that the kernel does not return to user space, such as 524, ENOTSUPP."""
_DATA = (bytes, Bytes, PerCpu, Addresses, range, type(None))


def impossible(
    errno: object, value: object, data: object, records: object, log: object, threads: object
) -> tuple[str, str] | None:
    """Returns what is wrong with an expectation, and what to write instead; None when nothing is."""
    if not isinstance(errno, str | None):
        return (f"the errno {errno!r} is expected", "write its name, as in 'EBADF'")
    if errno is not None and (wrong := _misnamed(errno)):
        return (f"an errno {errno!r} is expected", wrong)
    if errno is not None and (value, data, records, threads) != (None,) * 4:
        return (f"{errno} is expected, and more", "what fails returns and reads nothing")
    if not isinstance(value, int | range | Unknown | None):
        return (f"the value {value!r} is expected", "write a number, a range, or an Unknown")
    choices = data.choices if isinstance(data, OneOf) else (data,)
    if not choices or not all(isinstance(one, _DATA) for one in choices):
        return (f"the data {data!r} is expected", "write bytes, or OneOf several")
    for numbers in (value, *choices):
        if isinstance(numbers, range) and not numbers:
            return (f"a number in {numbers} is expected, where there is none", "write the other end")
    if not isinstance(log, str | None):
        return (f"the log {log!r} is expected", "write a part of its text")
    if not _are_records(records):
        return (f"the records {records!r} are expected", "write how many, or a tuple of them")
    if not _are_threads(threads):
        wrong = f"the threads {threads!r} are expected"
        return (wrong, "write a tuple for each thread, of an Expectation or None for each operation")
    return None


def _misnamed(name: str) -> str:
    """Returns what to write instead; empty when outcomes name an errno so. Of two names for one number, outcomes have
    one."""
    if name in errnos.errorcode.values():
        return ""
    if number := _NAMELESS.fullmatch(name):
        known = errnos.errorcode.get(int(number[1]))
        return f"write {known!r}" if known else ""
    alias = errnos.errorcode.get(getattr(errnos, name, 0)) if name.isupper() else None
    if alias:
        return f"write {alias!r}"
    near = get_close_matches(name.upper(), errnos.errorcode.values(), 1)
    return f"did you mean {near[0]!r}?" if near else "write a name as in 'EBADF'"


def _are_records(said: object) -> bool:
    if said is None or isinstance(said, int):
        return said is None or said >= 0
    return isinstance(said, tuple) and all(isinstance(one, Record) for one in said)


def _are_threads(said: object) -> bool:
    return said is None or (
        isinstance(said, tuple)
        and all(isinstance(thread, tuple) for thread in said)
        and all(one is None or isinstance(one, Outcome) for thread in said for one in thread)
    )
