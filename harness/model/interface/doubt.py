# SPDX-License-Identifier: MIT
"""Marks what an operation with an unknown outcome may have changed as unknown, by its row in `effects`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from harness.abi.bpf import Command
from harness.model.interface.descriptors import AnyDescriptor, Doubtful
from harness.model.interface.effects import EVERYTHING, Part, effects
from harness.model.interface.hits import open_hits
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Event, LoadedProgram, TraceEvent, may_print
from harness.model.interface.references import behind, names, reaches_anything, things
from harness.model.maps import Map, ProgramArrayMap
from harness.model.unpredictable import Settled, Unbounded, Unpredictable
from harness.script import operations as op
from harness.script.operations import MapType, Operation
from harness.script.surroundings import ReadClock, SetSetting

GROUP = "hil/"
"""The function on which scripts put their probes."""
HOLDS_FILES = (MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY)


def open_up(kernel: Kernel, operation: Operation, unpredictable: Unpredictable) -> bool:
    """Marks everything that `operation` may have changed as unknown from now on; returns whether that is all there
    is."""
    if isinstance(unpredictable, Settled):
        return False
    found, why = effects(operation), unpredictable.why
    if isinstance(unpredictable, AnyDescriptor) and Part.PROGRAM_TYPE in found.parts:
        # A program that is loaded does nothing yet to the maps it refers to.
        _put(kernel, operation, Doubtful(why, anything=True))
        return False
    if isinstance(unpredictable, Unbounded | AnyDescriptor) or found == EVERYTHING:
        return True
    if found.parts & {Part.OBJECTS, Part.RECORDS} and reaches_anything(kernel, operation):
        return True
    for part in Part:
        if part in found.parts:
            _OPEN[part](kernel, operation, why)
    for function in found.functions:
        open_hits(kernel, function, why)
    return False


def _name(kernel: Kernel, operation: Operation, why: str) -> None:
    reached = tuple(things(kernel, operation))
    match operation:
        case op.CreateKprobe(name, symbol, returns):
            _unsure_probe(kernel, TraceEvent(name, symbol, returns, foreign=True, doubt=why, unsure=why))
        case op.FindTracepoint(name):
            _unsure_probe(kernel, TraceEvent(name, None, foreign=True, doubt=why, unsure=why))
        case op.CreateMap(type=type):
            _put(kernel, operation, Doubtful(why, holds_files=type in HOLDS_FILES))
        case op.LoadProgram(program=program):
            maps = tuple(thing for _, reference in program.maps for thing in behind(kernel, reference.name))
            _put(kernel, operation, Doubtful(why, maps, prints=may_print(program.instructions)))
        case op.RawBpf(command=Command.MAP_CREATE):
            _put(kernel, operation, Doubtful(why, holds_files=True))
        case op.RawBpf() | op.OpenFile():
            _put(kernel, operation, Doubtful(why, anything=True))
        case _:
            _put(kernel, operation, Doubtful(why, reached))


def _unsure_probe(kernel: Kernel, probe: TraceEvent) -> None:
    kernel.trace_events.append(probe)
    kernel.names.put(probe.name, probe)


def _put(kernel: Kernel, operation: Operation, doubtful: Doubtful) -> None:
    name = getattr(operation, "name", None)
    if isinstance(name, str):
        kernel.names.put(name, doubtful)


def _objects(kernel: Kernel, operation: Operation, why: str) -> None:
    for thing in things(kernel, operation):
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
    for thing in things(kernel, operation):
        match thing:
            case Event():
                thing.doubt = thing.doubt or why
            case Map():
                thing.distrust(why)


def _references(kernel: Kernel, operation: Operation, why: str) -> None:
    for name in names(kernel, operation):
        kernel.names.doubt(name, why)


def _program_type(kernel: Kernel, operation: Operation, why: str) -> None:
    """Marks the type of program arrays as unknown: a program that is loaded decides it
    (bpf_prog_array_compatible())."""
    if isinstance(operation, op.LoadProgram):
        for _, reference in operation.program.maps:
            for map in behind(kernel, reference.name):
                if isinstance(map, ProgramArrayMap):
                    map.distrust_type(why)


def _probes(kernel: Kernel, operation: Operation, why: str) -> None:
    """Marks probes as unknown. A command names one probe, or the group of all; it may make it, remove it, or move it to
    another function."""
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
"""The functions for all parts but EVERYTHING. A name is bound before what its operation refers to may lose its own."""
