# SPDX-License-Identifier: MIT
"""Operations and outcomes in readable form, for tables and reports."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any

from harness.counting import counted
from harness.script.operations import (
    Buffer,
    EventSource,
    Functions,
    Operation,
    Part,
    Pointers,
    Program,
    Ref,
    Thread,
    Types,
)
from harness.script.outcome import (
    ANY,
    Addresses,
    Anything,
    Bytes,
    Containing,
    Either,
    OneOf,
    PerCpu,
    Prediction,
    Record,
    Unknown,
    Unpredicted,
    Withheld,
)


def describe(operation: Operation) -> str:
    """Returns `Attach(event=e, program=p)`: the fields that differ from their defaults."""
    shown = (f"{field.name}={_term(getattr(operation, field.name))}" for field in _shown_fields(operation))
    return f"{type(operation).__name__}({', '.join(shown)})"


def describe_outcome(outcome: Prediction) -> str:
    """Returns `EEXIST`, `0, data 0100000000000000`: everything in the outcome, unknown leaves in angle brackets. Leaves
    that match anything are left out, if success is all that the outcome demands."""
    if outcome is ANY:
        return "anything"
    if isinstance(outcome, Unpredicted):
        return f"unpredicted: {outcome.reason}"
    if isinstance(outcome, Either):
        return " or ".join(describe_outcome(one) for one in outcome.outcomes)
    if outcome.errno is not None:
        parts = [outcome.errno]
    else:
        parts = ["success" if outcome.value is ANY else _term(outcome.value)]
    if outcome.data not in (None, ANY):
        parts.append(f"data {_term(outcome.data)}")
    if isinstance(outcome.records, tuple):
        parts.append(_records(outcome.records))
    if outcome.log not in (None, ANY):
        parts.append(f"log {_log(outcome.log)}")
    for thread in outcome.threads if isinstance(outcome.threads, tuple) else ():
        parts.append(f"[{'; '.join(describe_outcome(inner) for inner in thread)}]")
    return ", ".join(parts)


def _records(records: tuple[Record | Anything, ...]) -> str:
    if records and all(record is ANY for record in records):
        return counted(len(records), "record")
    return f"records [{', '.join(map(describe_record, records))}]"


def _log(log: object) -> str:
    match log:
        case Withheld():
            return str(log)
        case Containing(part):
            return f"with {part!r}"
    return repr(str(log))


def describe_record(record: Record | Anything) -> str:
    """Returns `Sample(cpu=0, raw=00)`: the fields that differ from their defaults and do not match anything."""
    if isinstance(record, Anything):
        return "anything"
    shown = (f"{field.name}={_term(getattr(record, field.name))}" for field in _shown_fields(record))
    return f"{type(record).__name__}({', '.join(shown)})"


def _shown_fields(thing: Any) -> list[Field[Any]]:
    values = ((field, getattr(thing, field.name)) for field in fields(thing))
    return [
        field for field, value in values if value is not ANY and (field.default is MISSING or value != field.default)
    ]


def _term(value: object) -> str:
    match value:
        case Ref(name):
            return name
        case Enum():
            return str(value.name)
        case bool() | None:
            return str(value)
        case int():
            return str(value) if abs(value) < 0x10000 else hex(value)
        case range():
            return f"{_term(value[0])} to {_term(value[-1])}"
        case bytes():
            return value.hex() or "(empty)"
        case Thread(cpu, operations):
            return f"CPU {cpu}: {'; '.join(describe(operation) for operation in operations)}"
        case Part(offset, size, inner):
            return f"{offset}:{size}={_term(inner)}"
        case PerCpu(first, others):
            return f"{_term(first)} on CPU 0, {'the same' if others is None else _term(others)} on others"
        case Buffer(content, guarded):
            return f"&{_term(content)}{' (guarded)' if guarded else ''}"
        case Pointers(buffers):
            return f"&[{', '.join(map(_term, buffers))}]"
        case Functions(pattern):
            return f"<functions {pattern}>"
        case EventSource(name):
            return f"<source of events {name}>"
        case Program():
            return f"<{len(value.instructions)} instructions>"
        case Types(functions=functions, lines=lines):
            return f"<types of {counted(len(functions), 'function')}, {counted(len(lines), 'line')}>"
        case Unknown():
            return f"<{value.why}{_bounds(value)}>"
        case Bytes():
            return _bytes(value)
        case Addresses(size):
            return f"<{size} bytes: kernel addresses, then zeros>"
        case OneOf(choices):
            return f"one of {', '.join(map(_term, choices))}"
        case (Thread(), *_):  # by the numbers that differences name
            return f"({', '.join(f'thread {number} on {_term(thread)}' for number, thread in enumerate(value))})"
        case tuple():
            return f"({', '.join(_term(item) for item in value)})"
        case _:
            return repr(value)


def _bounds(value: Unknown) -> str:
    """Returns the bounds where both are known and close enough to be informative."""
    if value.least is None or value.most is None or value.most - value.least >= 0x10000:
        return ""
    return f", {value.least} to {value.most}"


def _bytes(value: Bytes) -> str:
    text, position = "", 0
    for piece in sorted(value.unknown, key=lambda piece: piece.offset):
        hole = f"<{piece.size} bytes: {piece.value.why}{_bounds(piece.value)}>"
        text += value.content[position : piece.offset].hex() + hole
        position = piece.offset + piece.size
    return text + value.content[position:].hex()
