"""Makes open what an operation may have changed whose outcome cannot be known, by its row in `effects`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

from harness.model.interface.descriptors import AnyDescriptor, Doubtful
from harness.model.interface.effects import EVERYTHING, Part, effects, may_be_descriptor
from harness.model.interface.hits import open_hits
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Content, Event, LoadedProgram, TraceEvent, may_print
from harness.model.maps import FileArrayMap, Map, ProgramArrayMap
from harness.model.value import Settled, Unbounded, Unpredictable
from harness.script import operations as op
from harness.script.operations import Buffer, MapType, Operation, Ref
from harness.script.surroundings import ReadClock, SetSetting

Thing = Content | TraceEvent | Doubtful
GROUP, PREFIX = "hil/", "{}"
"""Where the probes of scripts are, and what stands for the script's own in a command of kprobe_events."""
HOLDS_FILES = (MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY)
TRACEPOINT = 2
"""PERF_TYPE_TRACEPOINT."""


def open_up(kernel: Kernel, operation: Operation, unpredictable: Unpredictable) -> bool:
    """Everything that `operation` may have changed is in doubt from now on; whether that is all there is."""
    if isinstance(unpredictable, Settled):
        return False
    found, why = effects(operation), unpredictable.why
    if isinstance(unpredictable, AnyDescriptor) and Part.PROGRAM_TYPE in found.parts:
        # A program that is loaded does nothing yet to the maps it refers to.
        _put(kernel, operation, Doubtful(why, anything=True))
        return False
    if isinstance(unpredictable, Unbounded | AnyDescriptor) or found == EVERYTHING:
        return True
    if found.parts & {Part.OBJECTS, Part.RECORDS} and _reaches_anything(kernel, operation):
        return True
    for part in Part:
        if part in found.parts:
            _OPEN[part](kernel, operation, why)
    for function in found.functions:
        open_hits(kernel, function, why)
    return False


def _reaches_anything(kernel: Kernel, operation: Operation) -> bool:
    """Whether it was given something that may stand for whatever there is."""
    if isinstance(operation, op.Duplicate | op.Close):
        return False
    things = tuple(_things(kernel, operation))
    number = _stored(operation)
    stored = number is not None and may_be_descriptor(int.from_bytes(number[:4], "little"))
    return any((isinstance(thing, Doubtful) and thing.anything) or (stored and _holds_files(thing)) for thing in things)


def _stored(operation: Operation) -> bytes | None:
    """The bytes that an update gives as a value."""
    match operation:
        case op.UpdateElement(value=bytes(value)):
            return value
        case op.RawBpf(command=2, parts=parts):
            return next(
                (part.value.content for part in parts if part.offset == 16 and isinstance(part.value, Buffer)), None
            )
    return None


# What an operation refers to


def _things(kernel: Kernel, operation: Operation) -> Iterator[Thing]:
    """What it refers to, as far as it may do something to it."""
    found = [thing for name in _names(kernel, operation) for thing in _behind(kernel, name)]
    yield from found
    gone = any(isinstance(thing, TraceEvent) and (thing.removed or thing.unsure) for thing in found)
    if _trace_event_number(operation) or gone:
        yield from kernel.trace_events  # any may have the number


def _names(kernel: Kernel, operation: Operation) -> Iterator[str]:
    for field in fields(operation):
        value = getattr(operation, field.name)
        if isinstance(value, Ref) and not (field.name == "value" and not _stores_file(kernel, operation)):
            yield value.name
    if isinstance(operation, op.RawBpf | op.RawOpenEvent):
        yield from (part.value.name for part in operation.parts if isinstance(part.value, Ref))


def _stores_file(kernel: Kernel, operation: Operation) -> bool:
    """Whether an update may make its map hold a file; others read its number."""
    of = operation.map if isinstance(operation, op.UpdateElement) else None
    return isinstance(of, Ref) and any(map(_holds_files, _behind(kernel, of.name)))


def _behind(kernel: Kernel, name: str) -> Iterator[Thing]:
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
    """Whether it opens an event of a trace event that it gives as a plain number."""
    match operation:
        case op.OpenEvent(config=int(number)):
            return number > 0
        case op.RawOpenEvent(parts=parts):
            numbers = {part.offset: part.value for part in parts if isinstance(part.value, int)}
            return numbers.get(0) == TRACEPOINT and numbers.get(8, 0) > 0
    return False


# The parts of the state


def _name(kernel: Kernel, operation: Operation, why: str) -> None:
    things = tuple(_things(kernel, operation))
    match operation:
        case op.CreateKprobe(name, symbol, returns):
            _unsure_probe(kernel, TraceEvent(name, symbol, returns, foreign=True, doubt=why, unsure=why))
        case op.FindTracepoint(name):
            _unsure_probe(kernel, TraceEvent(name, None, foreign=True, doubt=why, unsure=why))
        case op.CreateMap(type=type):
            _put(kernel, operation, Doubtful(why, holds_files=type in HOLDS_FILES))
        case op.LoadProgram(program=program):
            maps = tuple(thing for _, reference in program.maps for thing in _behind(kernel, reference.name))
            _put(kernel, operation, Doubtful(why, maps, prints=may_print(program.instructions)))
        case op.RawBpf(command=0):
            _put(kernel, operation, Doubtful(why, holds_files=True))
        case op.RawBpf() | op.OpenFile():
            _put(kernel, operation, Doubtful(why, anything=True))
        case _:
            _put(kernel, operation, Doubtful(why, things))


def _unsure_probe(kernel: Kernel, probe: TraceEvent) -> None:
    kernel.trace_events.append(probe)
    kernel.names.put(probe.name, probe)


def _put(kernel: Kernel, operation: Operation, doubtful: Doubtful) -> None:
    name = getattr(operation, "name", None)
    if isinstance(name, str):
        kernel.names.put(name, doubtful)


def _objects(kernel: Kernel, operation: Operation, why: str) -> None:
    for thing in _things(kernel, operation):
        match thing:
            case TraceEvent():
                thing.doubt = thing.doubt or why
            case Map():
                thing.distrust(why)
            case Event():
                thing.distrust(why)
                thing.ring_doubt = thing.ring_doubt or why
            case LoadedProgram():
                thing.doubt_maps(why)
                if thing.may_print:
                    kernel.surroundings.distrust_trace(why, lasting=True)
            case Doubtful(prints=True):
                kernel.surroundings.distrust_trace(why, lasting=True)


def _records(kernel: Kernel, operation: Operation, why: str) -> None:
    for thing in _things(kernel, operation):
        match thing:
            case Event():
                thing.doubt = thing.doubt or why
            case Map():
                thing.distrust(why)


def _references(kernel: Kernel, operation: Operation, why: str) -> None:
    for name in _names(kernel, operation):
        kernel.names.doubt(name, why)


def _program_type(kernel: Kernel, operation: Operation, why: str) -> None:
    """A program that is loaded decides it (bpf_prog_array_compatible())."""
    if isinstance(operation, op.LoadProgram):
        for _, reference in operation.program.maps:
            for map in _behind(kernel, reference.name):
                if isinstance(map, ProgramArrayMap):
                    map.distrust_type(why)


def _probes(kernel: Kernel, operation: Operation, why: str) -> None:
    """A command names one probe, or the group of all; it may make it, remove it, or move it to another function."""
    assert isinstance(operation, op.WriteKprobeEvents)
    named = set(re.findall(r"\{\}(\w*)", operation.command))
    everyone = GROUP in operation.command or "" in named
    for probe in kernel.trace_events:
        if everyone or probe.name in named:
            probe.removed, probe.foreign = False, True
            probe.unsure, probe.doubt = probe.unsure or why, probe.doubt or why
            open_hits(kernel, probe, why)
    for name in named - {""}:
        if kernel.names.peek(name) is None:
            _unsure_probe(kernel, TraceEvent(name, "", foreign=True, doubt=why, unsure=why))


def _credentials(kernel: Kernel, _: Operation, why: str) -> None:
    kernel.task.doubt = kernel.task.doubt or why


def _task_name(kernel: Kernel, *_: object) -> None:
    kernel.task.comm = None


def _limits(kernel: Kernel, _: Operation, why: str) -> None:
    kernel.task.limit_doubt = kernel.task.limit_doubt or why


def _locked_pages(kernel: Kernel, _: Operation, why: str) -> None:
    kernel.locked_doubt = kernel.locked_doubt or why


def _setting(kernel: Kernel, operation: Operation, why: str) -> None:
    assert isinstance(operation, SetSetting)
    kernel.settings.distrust(operation.path, why)


def _clock(kernel: Kernel, operation: Operation, _: str) -> None:
    assert isinstance(operation, ReadClock)
    kernel.surroundings.forget_clock(operation.name)


_OPEN: Mapping[Part, Callable[[Kernel, Operation, str], None]] = {
    Part.NAME: _name,
    Part.NUMBERS: lambda kernel, *_: kernel.names.disturb(),
    Part.OBJECTS: _objects,
    Part.RECORDS: _records,
    Part.REFERENCES: _references,
    Part.PROGRAM_TYPE: _program_type,
    Part.PROBES: _probes,
    Part.CREDENTIALS: _credentials,
    Part.TASK_NAME: _task_name,
    Part.LIMITS: _limits,
    Part.LOCKED_PAGES: _locked_pages,
    Part.SETTING: _setting,
    Part.TRACE: lambda kernel, _, why: kernel.surroundings.distrust_trace(why),
    Part.TRACING: lambda kernel, _, why: kernel.surroundings.distrust_trace(why, lasting=True),
    Part.CLOCK: _clock,
}
"""For all parts but EVERYTHING. A name is made before what its operation refers to may lose its own."""
