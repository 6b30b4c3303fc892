# SPDX-License-Identifier: MIT
"""The names in a script: the operations that make them, and those that may refer to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.script.brief import brief
from harness.script.data_classes import field_names
from harness.script.operations import (
    Close,
    CreateKprobe,
    Exit,
    Fork,
    GetProcessId,
    MapRing,
    MapRingBuffer,
    OpenEvent,
    Operation,
    Program,
    ReadProfile,
    ReadRing,
    ReadRingBuffer,
    Ref,
    RemoveKprobe,
    RunThreads,
    Thread,
    Unmap,
    WriteKprobeEvents,
)
from harness.script.outcome import Outcome, Unknown
from harness.script.surroundings import ReadClock
from harness.script.text import describe
from hil.nearest import nearest


@dataclass(frozen=True)
class _Made:
    """The object of a name: the kind of the operation that made it, and whether it is closed, or was never made."""

    kind: type
    gone: bool = False


Known = dict[str, _Made]
"""The names that are known at a point of a script."""

MAKES = re.compile(r"[pr]\d*:\{\}(\w+)")
"""A command of kprobe_events that makes a trace event of the script's own, by its name."""
_PROBES = (CreateKprobe, WriteKprobeEvents)
"""The operations that make trace events, which belong to no process."""
_NOTHING = "there are no names before it"
_ONLY: dict[tuple[type, str], tuple[type, ...]] = {
    (ReadRing, "ring"): (MapRing,),
    (ReadRingBuffer, "buffer"): (MapRingBuffer,),
    (Unmap, "ring"): (MapRing, MapRingBuffer),
    (RemoveKprobe, "probe"): _PROBES,
    (ReadProfile, "probe"): _PROBES,
    (OpenEvent, "pid"): (GetProcessId,),
}
"""Fields that are not descriptors, which may be any: the operations that must have made the name in them."""


def wrong(operations: Sequence[Operation], expected: Sequence[Outcome | None]) -> str:
    """Returns what is wrong with a script's names, and with which operation; empty when nothing is.

    A child knows the names that its parent made before, and may make the same ones again for itself. The parent does
    not know the child's names, except probes, which belong to no process. A thread knows the names made before it
    began, and its own.
    """
    processes: list[Known] = [{}]
    ever: Known = {}
    for index, operation in enumerate(operations):
        known = processes[-1]
        if isinstance(operation, RunThreads):
            complaint = _run_threads(operation, known)
        else:
            complaint = _add(operation, known, expected[index] if expected else None)
        ever |= known
        complaint = complaint or _expected(expected[index] if expected else None, ever)
        if complaint:
            return f"operation {index}, {brief(describe(operation))}, {complaint}"
        if isinstance(operation, Fork):
            processes.append({name: replace(made, gone=True) for name, made in known.items()})
        elif isinstance(operation, Exit):
            processes.pop()
            processes[-1] |= {name: made for name, made in known.items() if made.kind in _PROBES}
    return ""


def _run_threads(operation: RunThreads, known: Known) -> str:
    """Checks threads, and adds the names that they made, each a different one, and have not closed."""
    if ring := _raced_for(operation):
        return f"reads or unmaps {ring!r} in one thread while another maps or unmaps it, which may kill the process"
    changed: Known = {}
    for thread in operation.threads:
        own = dict(known)
        for inner in thread.operations:
            if complaint := _add(inner, own, None):
                return f"with {brief(describe(inner))} in a thread, {complaint}"
        named = {name for name in map(_name, thread.operations) if name is not None}
        if twice := sorted(named & changed.keys() - known.keys()):
            return f"has two threads that make {twice[0]!r}; give each a name of its own"
        changed |= {name: made for name, made in own.items() if known.get(name) != made}
    known |= changed
    return ""


def _raced_for(operation: RunThreads) -> str | None:
    """Returns a ring whose memory one thread maps or unmaps, while another uses it."""
    changes, uses = [], []
    for thread in operation.threads:
        unmapped = {one.ring.name for one in thread.operations if isinstance(one, Unmap)}
        mapped = {one.name for one in thread.operations if isinstance(one, MapRing | MapRingBuffer)}
        read = {one.ring.name for one in thread.operations if isinstance(one, ReadRing)}
        consumed = {one.buffer.name for one in thread.operations if isinstance(one, ReadRingBuffer)}
        changes.append(unmapped | mapped)
        uses.append(unmapped | read | consumed)
    pairs = ((one, other) for one in range(len(uses)) for other in range(len(uses)) if one != other)
    return min((ring for one, other in pairs for ring in changes[one] & uses[other]), default=None)


def _name(operation: Operation) -> str | None:
    """Returns the name of what the operation makes."""
    name = getattr(operation, "name", None)
    return name if isinstance(name, str) else None


def _add(operation: Operation, known: Known, expected: Outcome | None) -> str:
    """Returns what is wrong with the names that the operation refers to, or with the name it makes, which is known from
    now on."""
    for field in field_names(type(operation)):
        value = getattr(operation, field)
        for name in _referred(value):
            if name not in known:
                return f"refers to {name!r}, which no earlier operation makes; {nearest(name, known, _NOTHING)}"
            if known[name].kind is ReadClock:
                return f"refers to {name!r}, which is a time and no descriptor"
            if known[name].kind is WriteKprobeEvents and not isinstance(operation, RemoveKprobe | ReadProfile):
                return f"refers to {name!r}, whose number is not read; make it by CreateKprobe"
            only = _ONLY.get((type(operation), field))
            if only and known[name].kind not in only:
                kinds = " or ".join(kind.__name__ for kind in only)
                return f"takes what {kinds} makes as its {field}; {name!r} is of {known[name].kind.__name__}"
            if isinstance(operation, Close | Unmap | RemoveKprobe):
                known[name] = replace(known[name], gone=True)
    made = _name(operation)
    if isinstance(operation, WriteKprobeEvents) and (command := MAKES.match(operation.command)):
        known.setdefault(command[1], _Made(WriteKprobeEvents, gone=True))
    if made is not None:
        before = known.get(made)
        if before and not before.gone and not (before.kind is type(operation) is CreateKprobe):
            return f"makes {made!r} again, while what {before.kind.__name__} made is there; give it another name"
        known[made] = _Made(type(operation), gone=expected is not None and expected.errno is not None)
    return ""


def _referred(value: object) -> Iterator[str]:
    """Yields every name that a field refers to, however deep inside."""
    match value:
        case Ref(name):
            yield name
        case Program(maps=maps):
            yield from (reference.name for _, reference in maps)
        case tuple():
            for item in value:
                yield from _referred(item)
        case Thread():
            pass
        case _:
            for field in field_names(type(value)):
                yield from _referred(getattr(value, field))


def _expected(expectation: object, ever: Known) -> str:
    """Returns what is wrong with the names in an expectation, with whose values its numbers are compared."""
    match expectation:
        case Unknown(same_as=same, not_before=before, not_after=after):
            for name in (same, before, after):
                if name is not None and name not in ever:
                    near = nearest(name, ever, _NOTHING)
                    return f"is held against what {name!r} returned, which no operation makes; {near}"
        case tuple():
            return next(filter(None, (_expected(item, ever) for item in expectation)), "")
        case _ if names := field_names(type(expectation)):
            return _expected(tuple(getattr(expectation, name) for name in names), ever)
    return ""
