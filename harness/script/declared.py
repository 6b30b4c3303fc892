# SPDX-License-Identifier: MIT
"""Type checks at run time: no type checker has seen what is written in a test."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from harness.isa.instruction import Instruction
from harness.script.brief import brief
from harness.script.data_classes import field_names
from harness.script.operations import Operation

_OPERATIONS = get_args(Operation)
Check = Callable[[object], bool]
_fields = cache(get_type_hints)
"""The declared types of a class's fields, by their names."""


def undeclared(operation: object) -> str:
    """Returns what is wrong with a value given as an operation; empty when it is one, and so are all its parts."""
    if isinstance(operation, tuple | list):
        return "is several operations in one place; write * in front of them"
    if not isinstance(operation, _OPERATIONS):
        return "is no operation"
    return _wrong(operation)


def _wrong(whole: object) -> str:
    """Returns which field of a data class holds a value of the wrong type."""
    kind: Any = type(whole)
    for name, fits in _checks(kind):
        value = getattr(whole, name)
        if not fits(value):
            declared = _fields(kind)[name]
            inner = _wrong(value) if field_names(type(value)) and isinstance(value, _classes(declared)) else ""
            return inner or f"has {brief(repr(value))} as its {name}, which takes {_format(declared)}"
    return ""


@cache
def _checks(kind: Any) -> tuple[tuple[str, Check], ...]:
    return tuple((name, _check(declared)) for name, declared in _fields(kind).items())


@cache
def _check(declared: Any) -> Check:
    """Returns what tells whether a value is of a declared type."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        some = tuple(map(_check, arguments))
        return lambda value: any(check(value) for check in some)
    if origin is tuple and arguments[-1] is ...:
        every = _check(arguments[0])
        return lambda value: isinstance(value, tuple) and all(map(every, value))
    if origin is tuple:
        each = tuple(map(_check, arguments))
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(each)
            and all(check(one) for check, one in zip(each, value, strict=True))
        )
    if origin is frozenset:
        every = _check(arguments[0])
        return lambda value: isinstance(value, frozenset) and all(map(every, value))
    if declared is Instruction:  # programs may have a million of them, which check themselves
        return lambda value: isinstance(value, Instruction)
    return lambda value: isinstance(value, declared) and (not field_names(type(value)) or not _wrong(value))


def _classes(declared: Any) -> tuple[type, ...]:
    """Returns the classes that a declaration names outside of tuples."""
    arguments = get_args(declared) if get_origin(declared) in (Union, UnionType) else (declared,)
    return tuple(one for one in arguments if isinstance(one, type) and get_origin(one) is None)


def _format(declared: Any) -> str:
    """Returns a declaration as people write it."""
    if get_origin(declared) in (Union, UnionType):
        return " or ".join(map(_format, get_args(declared)))
    if get_origin(declared) in (tuple, frozenset):
        name = get_origin(declared).__name__
        return f"a {name} of {' and '.join(_format(one) for one in get_args(declared) if one is not ...)}"
    return "None" if declared is NoneType else str(declared.__name__)
