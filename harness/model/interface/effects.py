# SPDX-License-Identifier: MIT
"""What an operation with an unknown outcome may have changed: one row for every type of operation.

It counts whenever an operation ends with `Unpredictable`; `harness.model.interface.doubt` marks what it names as
unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from harness.abi.bpf import Command
from harness.abi.numbers import IOC_DIRSHIFT, IOC_READ, PR_SET_NAME
from harness.model.interface.descriptors import STANDARD, SURELY_CLOSED
from harness.model.interface.settings import EVER
from harness.script import operations as op
from harness.script import processes as child
from harness.script import surroundings as around
from harness.script.triggers import TRIGGERS

PRCTL, PID_LOOKUP = "cap_task_prctl", "find_task_by_vpid"
"""The functions that every prctl(2) reaches, and those that look up a task by its number, for perf_event_open(2)
too."""


class Part(Enum):
    """A part of the state that an operation may have changed."""

    NAME = auto()
    """The object that the operation's name stands for."""
    NUMBERS = auto()
    """The numbers of descriptors that are taken."""
    OBJECTS = auto()
    """The objects it refers to, and all that can be reached from there."""
    RECORDS = auto()
    """The contents of rings and ring buffers that it refers to."""
    REFERENCES = auto()
    """Whether the objects it refers to are still there under these names."""
    PROGRAM_TYPE = auto()
    """The type of programs that the program arrays of a program take."""
    PROBES = auto()
    """The probes that exist, and the functions they are on."""
    CREDENTIALS = auto()
    """The caller's user and capabilities."""
    TASK_NAME = auto()
    LIMITS = auto()
    """RLIMIT_MEMLOCK."""
    LOCKED_PAGES = auto()
    """The amount of that limit that is used."""
    SETTING = auto()
    """The file below /proc/sys that it names."""
    TRACE = auto()
    """The trace buffer, until it is cleared."""
    TRACING = auto()
    """The trace buffer, also when it was cleared since."""
    CLOCK = auto()
    """The last reading of the clock."""
    EVERYTHING = auto()


@dataclass(frozen=True)
class Effects:
    """Parts of the state that may have changed, and the probed `functions` that may have been reached, any number of
    times."""

    parts: frozenset[Part] = frozenset()
    functions: frozenset[str] = frozenset()


def _on(*parts: Part, functions: frozenset[str] = frozenset()) -> Effects:
    return Effects(frozenset(parts), functions)


NOTHING = _on()
EVERYTHING = _on(Part.EVERYTHING)
_MAKES = (Part.NAME, Part.NUMBERS)


def _open_event(operation: op.OpenEvent | op.OpenOutputEvent | op.RawOpenEvent) -> Effects:
    """Returns the effects. A group is an event that the new one joins. An event for output probes nothing."""
    if isinstance(operation, op.RawOpenEvent) and may_be_descriptor(operation.group):
        return EVERYTHING
    functions = frozenset({PID_LOOKUP} if operation.pid not in (0, -1) else ())
    objects = () if isinstance(operation, op.OpenOutputEvent) else (Part.OBJECTS,)
    return _on(*_MAKES, *objects, functions=functions)


def _trigger(operation: op.Trigger) -> Effects:
    """Returns the effects. The options of prctl(2) can do anything to a process, from its memory's layout to its
    capabilities."""
    trigger = TRIGGERS[operation.trigger]
    reached = frozenset({trigger.symbol})
    if trigger.system_call != "prctl":
        return _on(functions=reached)
    if operation.arguments[:1] == (PR_SET_NAME,):
        return _on(Part.TASK_NAME, functions=reached)
    return EVERYTHING


def _raw_bpf(operation: op.RawBpf) -> Effects:
    """Returns the effects. Where the kernel may write to an address that the script does not own, or a number may be a
    descriptor, they are unbounded."""
    parts = operation.parts
    if operation.address is not None or (operation.command in _READING and any(map(_is_address, parts))):
        return EVERYTHING
    if operation.command in _COMMANDS:
        return _COMMANDS[operation.command]
    unbounded = any(
        _is_address(part) or (isinstance(part.value, int) and may_be_descriptor(part.value)) for part in parts
    )
    return EVERYTHING if unbounded else _on(*_MAKES, Part.OBJECTS)


def _is_address(part: op.Part) -> bool:
    return isinstance(part.value, int) and part.size == 8 and LEAST_ADDRESS <= part.value < 1 << 63


LEAST_ADDRESS = 4096
_READING = frozenset({Command.MAP_LOOKUP_ELEM, Command.MAP_GET_NEXT_KEY})
_COMMANDS: Mapping[int, Effects] = {
    Command.MAP_CREATE: _on(*_MAKES),
    Command.MAP_LOOKUP_ELEM: NOTHING,
    Command.MAP_UPDATE_ELEM: _on(Part.OBJECTS),
    Command.MAP_DELETE_ELEM: _on(Part.OBJECTS),
    Command.MAP_GET_NEXT_KEY: NOTHING,
    Command.PROG_LOAD: _on(*_MAKES, Part.PROGRAM_TYPE),
    Command.BTF_LOAD: _on(*_MAKES),
    Command.MAP_FREEZE: _on(Part.OBJECTS),
}
"""The ioctl numbers that scripts have operations for."""


def _ioctl(operation: op.Ioctl) -> Effects:
    argument = operation.argument
    writes = operation.request >> IOC_DIRSHIFT & IOC_READ and argument >= LEAST_ADDRESS
    return EVERYTHING if writes or may_be_descriptor(argument) else _on(Part.OBJECTS)


def _set_setting(operation: around.SetSetting) -> Effects:
    """Returns the effects. Other settings stop probes, change the engine, or limit what processes may have."""
    return _on(Part.SETTING) if operation.path in EVER else EVERYTHING


_EFFECTS: Mapping[type, Effects | Callable[[Any], Effects]] = {
    op.CreateMap: _on(*_MAKES),
    op.LookupElement: NOTHING,
    op.UpdateElement: _on(Part.OBJECTS),
    op.DeleteElement: _on(Part.OBJECTS),
    op.GetNextKey: NOTHING,
    op.ReadElements: NOTHING,
    op.LoadProgram: _on(*_MAKES, Part.PROGRAM_TYPE),
    op.CreateKprobe: _on(Part.NAME),
    op.RemoveKprobe: _on(Part.REFERENCES),
    op.FindTracepoint: _on(Part.NAME),
    op.OpenEvent: _open_event,
    op.OpenOutputEvent: _open_event,
    op.MapRing: _on(Part.NAME, Part.OBJECTS, Part.LOCKED_PAGES),
    op.ReadRing: _on(Part.RECORDS),
    op.MapRingBuffer: _on(Part.NAME, Part.OBJECTS),
    op.ReadRingBuffer: _on(Part.RECORDS),
    op.MapPages: _on(Part.OBJECTS),
    op.ReadCount: NOTHING,
    op.ReadProfile: NOTHING,
    op.ReadRuns: NOTHING,
    op.Attach: _on(Part.OBJECTS),
    op.Enable: _on(Part.OBJECTS),
    op.Disable: _on(Part.OBJECTS),
    op.Trigger: _trigger,
    op.OpenFile: _on(*_MAKES, Part.TRACING),  # tracing stops while somebody reads `trace`
    op.Duplicate: _on(*_MAKES, Part.OBJECTS),
    op.Close: _on(Part.REFERENCES, Part.OBJECTS),
    op.Unmap: _on(Part.REFERENCES, Part.OBJECTS),
    op.RunSocketFilter: _on(Part.OBJECTS),
    op.RawBpf: _raw_bpf,
    op.RawOpenEvent: _open_event,
    op.Ioctl: _ioctl,
    op.WriteKprobeEvents: _on(Part.PROBES),
    around.ReadSetting: NOTHING,
    around.SetSetting: _set_setting,
    around.ReadClock: _on(Part.CLOCK),
    around.ClearTrace: _on(Part.TRACE),
    around.ReadTrace: NOTHING,
    child.Fork: EVERYTHING,
    child.Exit: EVERYTHING,
    child.SetCredentials: _on(Part.CREDENTIALS, functions=frozenset({PRCTL})),
    child.Execute: EVERYTHING,
    child.LimitLockedMemory: _on(Part.LIMITS),
    child.SetName: _on(Part.TASK_NAME, functions=frozenset({PRCTL})),
    child.GetProcessId: _on(Part.NAME),
    op.Pin: EVERYTHING,
    op.RunThreads: EVERYTHING,
}
"""Complete over `Operation`. Operations that leave everything as it was, whatever they return, have NOTHING."""


def effects(operation: op.Operation) -> Effects:
    """Returns what `operation` may have changed if nobody knows how it ended."""
    row = _EFFECTS[type(operation)]
    return row if isinstance(row, Effects) else row(operation)


def may_be_descriptor(number: int) -> bool:
    """Returns whether a plain number may be the number of something the script opened."""
    return STANDARD <= number & 0xFFFFFFFF < SURELY_CLOSED
