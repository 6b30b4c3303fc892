# SPDX-License-Identifier: MIT
"""The objects that an operation refers to, and those it may reach and change from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from harness.abi import perf
from harness.abi.bpf import ELEMENT, Command
from harness.model.interface.descriptors import Doubtful
from harness.model.interface.effects import may_be_descriptor
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Content, TraceEvent
from harness.model.maps import FileArrayMap
from harness.script import operations as op
from harness.script.operations import Buffer, Operation, Ref
from harness.script.structures import Filled

Thing = Content | TraceEvent | Doubtful


def reaches_anything(kernel: Kernel, operation: Operation) -> bool:
    """Returns whether it was given something that may stand for any object."""
    if isinstance(operation, op.Duplicate | op.Close):
        return False
    found = tuple(things(kernel, operation))
    number = _stored(operation)
    stored = number is not None and may_be_descriptor(int.from_bytes(number[:4], "little"))
    return any((isinstance(thing, Doubtful) and thing.anything) or (stored and _holds_files(thing)) for thing in found)


def _stored(operation: Operation) -> bytes | None:
    """Returns the bytes that an update gives as a value."""
    match operation:
        case op.UpdateElement(value=bytes(value)):
            return value
        case op.RawBpf(command=Command.MAP_UPDATE_ELEM, parts=parts):
            given = Filled(parts, operation.nbytes).named(ELEMENT.fields["value"])
            return given.content if isinstance(given, Buffer) else None
    return None


def things(kernel: Kernel, operation: Operation) -> Iterator[Thing]:
    """Yields the objects that it refers to and may change."""
    found = [thing for name in names(kernel, operation) for thing in behind(kernel, name)]
    yield from found
    gone = any(isinstance(thing, TraceEvent) and (thing.removed or thing.unsure) for thing in found)
    if _trace_event_number(operation) or gone:
        yield from kernel.trace_events  # any may have the number


def names(kernel: Kernel, operation: Operation) -> Iterator[str]:
    """Yields the names it passes to the kernel; a program's maps are not among them, because loading it does not change
    them."""
    for field in fields(operation):
        value = getattr(operation, field.name)
        if isinstance(value, Ref) and not (field.name == "value" and not _stores_file(kernel, operation)):
            yield value.name
    if isinstance(operation, op.RawBpf | op.RawOpenEvent):
        yield from (part.value.name for part in operation.parts if isinstance(part.value, Ref))


def _stores_file(kernel: Kernel, operation: Operation) -> bool:
    """Returns whether an update may make its map hold a file; others read its number."""
    of = operation.map if isinstance(operation, op.UpdateElement) else None
    return isinstance(of, Ref) and any(map(_holds_files, behind(kernel, of.name)))


def behind(kernel: Kernel, name: str) -> Iterator[Thing]:
    """Yields all objects that a name may stand for."""
    thing = kernel.names.peek(name)
    if thing is not None:
        yield from _all(thing)


def _all(thing: Thing) -> Iterator[Thing]:
    yield thing
    if isinstance(thing, Doubtful):
        for inner in thing.things:
            yield from _all(inner)


def _holds_files(thing: Thing) -> bool:
    return isinstance(thing, FileArrayMap) or (isinstance(thing, Doubtful) and thing.holds_files)


def _trace_event_number(operation: Operation) -> bool:
    """Returns whether it opens an event of a trace event that it gives as a plain number."""
    match operation:
        case op.OpenEvent(config=int(number)):
            return number > 0
        case op.RawOpenEvent(parts=parts, length=length):
            attr, fields = Filled(parts, length), perf.ATTR.fields
            config = attr.number(fields["config"])
            plain = config != 0 and attr.named(fields["config"]) is None
            return plain and attr.number(fields["type"]) in (perf.TYPE_TRACEPOINT, None)
    return False
