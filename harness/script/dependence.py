# SPDX-License-Identifier: MIT
"""Dependences between the operations of a script, by the names they have in common."""

from __future__ import annotations

from harness.script.data_classes import field_names
from harness.script.operations import Operation, Program, Ref, Script


def depends_on(script: Script, index: int) -> tuple[int, ...]:
    """Returns the operations before the one at `index` that share a name with it, or with one that does, and so on; and
    those without names, such as triggers, which may change anything. An operation without names may depend on all."""
    named = [names(operation) for operation in script.operations[:index]]
    concerned = names(script.operations[index])
    if not concerned:
        return tuple(range(index))
    while True:
        near = [names for names in named if names & concerned]
        wider = concerned.union(*near)
        if wider == concerned:
            return tuple(at for at, names in enumerate(named) if not names or names & concerned)
        concerned = wider


def names(thing: Operation | object) -> frozenset[str]:
    """Returns the names that an operation makes and refers to, at any depth."""
    if isinstance(thing, Ref):
        return frozenset({thing.name})
    if isinstance(thing, Program):
        return frozenset(
            reference.name for _, reference in thing.maps
        )  # its instructions, which are many, name nothing
    if isinstance(thing, tuple):
        return frozenset().union(*map(names, thing))
    own = field_names(type(thing))
    if not own:
        return frozenset()
    inner = frozenset[str]().union(*[names(getattr(thing, name)) for name in own])
    made = getattr(thing, "name", None)
    return inner | {made} if isinstance(made, str) else inner
