# SPDX-License-Identifier: MIT
"""Expectations in short form: an outcome whose leaves match anything where nothing is given."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from harness.script.impossible import impossible
from harness.script.malformed import Malformed
from harness.script.outcome import ANY, Anything, Containing, Data, Outcome, Record, Value

Leaf = TypeVar("Leaf")


def Expectation(  # noqa: N802 - tests of users write it as the class that it once was
    errno: str | None = None,
    value: Value | range | None = None,
    data: Data | None = None,
    records: int | tuple[Record, ...] | None = None,
    log: str | None = None,
    threads: tuple[tuple[Outcome | None, ...], ...] | None = None,
) -> Outcome:
    """Expects of one operation that it fails with `errno`; or that it succeeds, and then whatever else is given.

    `value` is what it returns, `data` what it reads, `records` how many records there are, or which, fields of them
    that are None left open; None means that anything matches. A range is for a number (as data, a little-endian one)
    that depends on the order of concurrent operations. What is known of a value is given by `Unknown`, of bytes by
    `Bytes`. `log` is a part of the verifier's log, of failures too. `threads` are for each thread's operations, None
    where it does not matter.

    Raises Malformed for an errno that no kernel can return by that name, and for what no outcome can be: it would be
    reported as a divergence of the kernel.
    """
    if wrong := impossible(errno, value, data, records, log, threads):
        raise Malformed(wrong[0], remedy=wrong[1])
    return Outcome(
        value=None if errno else _or_any(value),
        errno=errno,
        data=_or_any(data),
        log=ANY if log is None else Containing(log),
        records=(ANY,) * records
        if isinstance(records, int)
        else ANY
        if records is None
        else tuple(map(_open, records)),
        threads=ANY if threads is None else tuple(tuple(map(_or_any, thread)) for thread in threads),
    )


def _or_any(said: Leaf | None) -> Leaf | Anything:
    return ANY if said is None else said


def _open(record: Record) -> Record:
    """Replaces fields that are None by `ANY`."""
    said: dict[str, Any] = {field.name: _or_any(getattr(record, field.name)) for field in fields(record)}
    return replace(record, **said)


SUCCESS = Expectation()
