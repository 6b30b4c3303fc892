# SPDX-License-Identifier: MIT
"""System calls with arguments that well-behaved callers do not pass."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.abi import perf
from harness.abi.numbers import O_APPEND, O_RDONLY, O_WRONLY
from harness.lowering.context import Lowering, Reader, Sampling, first_failure, returned
from harness.script import logs
from harness.script.names import MAKES
from harness.script.operations import (
    Buffer,
    EventSource,
    Functions,
    Ioctl,
    Part,
    Pointers,
    RawBpf,
    RawOpenEvent,
    SampleType,
    WriteKprobeEvents,
)
from harness.script.outcome import NOT_CARRIED_OUT, Outcome
from harness.script.structures import Filled
from hil.agent.steps import Address, Operand


def bpf(lowering: Lowering, operation: RawBpf) -> Reader:
    if why := logs.withheld(operation, lowering.guest.era):
        if operation.name is not None:
            lowering.names[operation.name] = -1  # a call that fails makes nothing for its name
        return lambda _: Outcome(errno=NOT_CARRIED_OUT, log=why)
    if operation.address is not None:
        call = lowering.call("bpf", operation.command, operation.address, operation.size)
    else:
        guarded = operation.length is not None
        nbytes = operation.nbytes
        where = _structure(lowering, operation.parts, nbytes, guarded) if nbytes else 0
        call = lowering.call("bpf", operation.command, where, operation.size)
    if operation.name is not None:
        lowering.opened(operation.name, call)
    return returned(call)


def open_event(lowering: Lowering, operation: RawOpenEvent) -> Reader:
    where = _structure(lowering, operation.parts, operation.length, guarded=False) if operation.length else 0
    descriptor = lowering.call("perf_event_open", where, operation.pid, operation.cpu, operation.group, operation.flags)
    lowering.opened(operation.name, descriptor)
    attr = Filled(operation.parts, operation.length)
    type, config, samples = (attr.number(perf.ATTR.fields[name]) for name in ("type", "config", "sample_type"))
    output = (type, config) == (perf.TYPE_SOFTWARE, perf.COUNT_SW_BPF_OUTPUT)
    lowering.samplings[operation.name] = Sampling(SampleType(samples or 0), output)
    return returned(descriptor)


def ioctl(lowering: Lowering, operation: Ioctl) -> Reader:
    descriptor = lowering.operand(operation.descriptor)
    return returned(lowering.call("ioctl", descriptor, operation.request, operation.argument))


def write_kprobe_events(lowering: Lowering, operation: WriteKprobeEvents) -> Reader:
    command = operation.command.replace("{}", lowering.event(""))
    opened, written = lowering.write_to(f"{lowering.guest.tracing}/kprobe_events", f"{command}\n", O_WRONLY | O_APPEND)
    if made := MAKES.match(operation.command):
        lowering.probes[lowering.event(made[1])] = None
    if removed := _REMOVED.match(operation.command):
        lowering.probes[lowering.event(removed[1])] = written
    return first_failure([opened, written], value=0)


_ADDRESS, _DIGITS = 8, 32
_REMOVED = re.compile(r"-:\{\}(\w+)")


def _number_of(lowering: Lowering, source: str) -> Operand:
    """Adds the steps that read the number of a source of events."""
    digits, number = lowering.builder.alloc(_DIGITS), lowering.builder.alloc(b"\xff" * 8)
    opened = lowering.open(f"/sys/bus/event_source/devices/{source}/type", O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, digits, _DIGITS)
        lowering.call("close", opened)
        lowering.builder.store(number, 4, lowering.builder.parse(digits, length))
    return lowering.builder.load(number, 4)


def _structure(lowering: Lowering, parts: Sequence[Part], length: int, guarded: bool) -> Address:
    content = Filled(parts, length).image
    address = lowering.guarded(content) if guarded else lowering.builder.alloc(content)
    for part in parts:
        if not isinstance(part.value, int):
            value = part.value
            stored: Operand | int
            match value:
                case Buffer():
                    stored = lowering.buffer(value)
                case Pointers():
                    stored = lowering.pointers(value)
                case Functions(pattern):
                    names = lowering.guest.functions(pattern)
                    buffers = tuple(Buffer(name.encode() + b"\0") for name in names)
                    stored = lowering.pointers(Pointers(buffers)) if part.size == _ADDRESS else len(names)
                case EventSource(name):
                    stored = _number_of(lowering, name)
                case _:
                    stored = lowering.operand(value)
            lowering.builder.store(address + part.offset, part.size, stored)
    return address
