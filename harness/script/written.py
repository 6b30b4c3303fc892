# SPDX-License-Identifier: MIT
"""Scripts as JSON, so that one can be kept in a file and run again.

A dataclass or an enum is an object whose `is` names its class; fields with their default values are left out. Bytes are
hexadecimal, and a program's code is a line an instruction, its text behind the digits for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any

from harness.abi import capabilities
from harness.isa.instruction import SIZE, decode
from harness.isa.text import listing
from harness.script import needs, operations, outcome, processes, surroundings, values
from harness.script.brief import brief
from harness.script.malformed import Malformed
from harness.script.needs import Need
from harness.script.operations import Script
from harness.script.values import Program
from hil.errors import UserError

_MODULES: tuple[ModuleType, ...] = (operations, processes, surroundings, values, outcome, needs, capabilities)
_IS = "is"
_PARTS = {"name": str, "sentence": str, "needs": list, "operations": list}
"""What a written script has, by its type as JSON."""


def written(script: Script) -> dict[str, Any]:
    """Returns a script as what `json.dumps` takes; without the expectations and the source of a clause."""
    return {
        "name": script.name,
        "sentence": script.sentence,
        "needs": sorted(need.name for need in script.needs),
        "operations": [_written(operation) for operation in script.operations],
    }


def read(data: Any, name: str) -> Script:
    """Returns the script that `written` made `data` of; raises UserError, which calls it `name`, when it is none, and
    Malformed, which does so too, for operations that make no sense."""
    remedy = "write it anew, or use the hil that wrote it"
    try:
        if not isinstance(data, Mapping):
            raise ValueError(f"it is {data!r}")
        json.dumps(data, ensure_ascii=False).encode()  # ValueError for half a character, which nothing could print
        whole = {"needs": [], **data}
        for part, kind in _PARTS.items():
            if not isinstance(whole[part], kind):
                raise ValueError(f"its {part} is {whole[part]!r}")
        parts = tuple(map(_read, whole["operations"]))
        needed = frozenset(Need[one] for one in whole["needs"])
        for part in parts:
            if not isinstance(part, operations.Operation):
                raise ValueError(f"{part!r} is no operation")
        return Script(whole["name"], whole["sentence"], parts, needs=needed)
    except Malformed as wrong:
        raise Malformed(f"{name} has a script that makes no sense: {wrong.what}", remedy=remedy) from None
    except (UserError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise UserError(f"{name} has no script: {brief(_why(error))}", remedy=remedy) from None


def _why(error: Exception) -> str:
    match error:
        case KeyError():
            return f"{error} is missing, or not known"
        case RecursionError():
            return "there are too many brackets in each other"
    return str(error)


def _written(value: Any) -> Any:
    match value:
        case Program():
            return {_IS: "Program", "code": list(_code(value)), **_fields(value, without="instructions")}
        case Enum():
            return {_IS: type(value).__name__, "value": value.value}
        case bytes():
            return {_IS: "bytes", "hex": value.hex()}
        case frozenset():
            return {_IS: "set", "of": sorted((_written(one) for one in value), key=repr)}
        case tuple():
            return [_written(one) for one in value]
        case _ if is_dataclass(value):
            return {_IS: type(value).__name__, **_fields(value)}
        case None | bool() | int() | str():
            return value
    raise TypeError(f"{value!r} cannot be written")


def _fields(value: Any, without: str = "") -> dict[str, Any]:
    return {
        field.name: _written(getattr(value, field.name))
        for field in fields(value)
        if field.name != without and (field.default is MISSING or getattr(value, field.name) != field.default)
    }


def _code(program: Program) -> Iterator[str]:
    texts = dict(listing(program))
    for index, instruction in enumerate(program.instructions):
        yield f"{instruction.encode().hex()} {texts.get(index, '')}".rstrip()


def _read(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(map(_read, data))
    if not isinstance(data, Mapping):
        return data
    rest = dict(data)
    match rest.pop(_IS):
        case "bytes":
            return bytes.fromhex(rest["hex"])
        case "set":
            return frozenset(map(_read, rest["of"]))
        case "Program":
            code = b"".join(bytes.fromhex(line[: 2 * SIZE]) for line in rest.pop("code"))
            return Program(decode(code), **{name: _read(value) for name, value in rest.items()})
        case kind:
            made = _classes()[kind]
            return made(rest["value"]) if issubclass(made, Enum) else made(**{n: _read(v) for n, v in rest.items()})


@cache
def _classes() -> Mapping[str, type[Any]]:
    """Every dataclass and enum that the modules of scripts name."""
    named = {name: one for module in _MODULES for name, one in vars(module).items()}
    return {
        name: one
        for name, one in named.items()
        if isinstance(one, type) and (is_dataclass(one) or issubclass(one, Enum))
    }
