# SPDX-License-Identifier: MIT
"""Everything that is kept by type of operation: all of it has all of them, and a new one is told where to go next."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any, get_args

import pytest

from harness.clauses import clauses
from harness.fuzz.scripts import scripts
from harness.lowering import lower
from harness.model import executor
from harness.model.eras import era
from harness.model.interface import effects
from harness.script.operations import Operation, RunThreads, flat
from harness.script.text import describe

ERA, ARCH = "6.1", "x86_64"
"""One that has every operation."""
CASES = 300
"""Enough generated scripts for the rarest operation to be in several."""


def types(union: Any = Operation) -> Iterator[type]:
    """Every type of operation."""
    for one in get_args(union):
        yield from types(one) if get_args(one) else (one,)


def generated() -> Iterator[Operation]:
    return (one for script in scripts(1, CASES, era(ERA, ARCH)) for one in flat(script.operations))


def stated() -> Iterator[Operation]:
    return (one for clause in clauses(ARCH, ERA) for one in flat(clause.script(ERA).operations))


def shown() -> set[type]:
    """Those whose every example has its name and those of its fields in its text that differ from their defaults."""
    right, wrong = set[type](), set[type]()
    for one in (*generated(), *stated()):
        named = [f"{field.name}=" for field in fields(one) if getattr(one, field.name) != field.default]
        text = describe(one)
        fine = text.startswith(f"{type(one).__name__}(") and all(name in text for name in named)
        (right if fine else wrong).add(type(one))
    return right - wrong


def documented() -> Iterator[type]:
    """Those with a docstring that somebody wrote: `dataclass` makes one of the fields where there is none."""
    return (one for one in types() if not (inspect.getdoc(one) or "").startswith(f"{one.__name__}("))


TABLES: dict[str, Callable[[], Iterable[type]]] = {
    "harness/lowering/lower.py: how the guest carries it out": lambda: lower._LOWERINGS,
    # It carries out threads operation by operation.
    "harness/model/executor.py: how the model carries it out": lambda: {*executor._OPERATIONS, RunThreads},
    "harness/model/interface/effects.py: what it may have changed": lambda: effects._EFFECTS,
    "harness/script/text.py: its text": shown,
    "harness/fuzz/scripts.py: a step that makes it": lambda: {type(one) for one in generated()},
    "harness/clauses: a clause that states something of it": lambda: {type(one) for one in stated()},
    "harness/script: its docstring": documented,
}
"""By the place a new type goes into, with what that place has."""


@pytest.mark.parametrize("place", TABLES)
def test_every_type_of_operation_is_there(place: str) -> None:
    there = set(TABLES[place]())
    assert not {one.__name__ for one in set(types()) - there}, f"{place} lacks these"
    assert not {one.__name__ for one in there - set(types())}, f"{place} has what is no operation"


def test_names_of_types_tell_them_apart() -> None:
    """They are all that a text says of the type."""
    names = [one.__name__ for one in types()]
    assert len(set(names)) == len(names) > 40
    assert all(re.fullmatch(r"([A-Z][a-z]*)+", name) for name in names)
