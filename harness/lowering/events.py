# SPDX-License-Identifier: MIT
"""Kprobe events of tracefs, perf events on them, and their cleanup."""

from __future__ import annotations

import re

from harness.abi import perf
from harness.abi.numbers import (
    CLOCK_MONOTONIC,
    MAP_FIXED,
    MAP_SHARED,
    O_APPEND,
    O_CLOEXEC,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    PROT_READ,
    PROT_WRITE,
)
from harness.lowering.context import (
    Lowering,
    Reader,
    Ring,
    Sampling,
    first_failure,
    returned,
)
from harness.lowering.text_files import read_text
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    Disable,
    Duplicate,
    Enable,
    FindTracepoint,
    MapRing,
    OpenEvent,
    OpenFile,
    OpenOutputEvent,
    ReadProfile,
    Ref,
    RemoveKprobe,
    SampleType,
    Unmap,
)
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult
from hil.agent.steps import Result


def create_kprobe(lowering: Lowering, operation: CreateKprobe) -> Reader:
    """Makes a trace event, and reads its id; where one is kept, that is its."""
    if operation.symbol in lowering.kept:
        number = lowering.names[operation.name] = lowering.kept[operation.symbol]
        return lambda _: Outcome(value=number)
    event = lowering.event(operation.name)
    kind = "r" if operation.returns else "p"
    place = f"{operation.symbol}+{operation.offset}" if operation.offset else operation.symbol
    opened, written = _command(lowering, f"{kind}:{event} {place}\n")
    lowering.probes[event] = None
    with lowering.builder.unless_failed(written):
        found, read = _read_id(lowering, event)
    lowering.names[operation.name] = read
    return first_failure([opened, written, found, read])


def remove_kprobe(lowering: Lowering, operation: RemoveKprobe) -> Reader:
    event = lowering.event(operation.probe.name)
    opened, written = _command(lowering, f"-:{event}\n")
    lowering.probes[event] = written
    return first_failure([opened, written], value=0)


def read_profile(lowering: Lowering, operation: ReadProfile) -> Reader:
    """The line is `  name   hits   missed`, without the group."""
    name = lowering.event(operation.probe.name).rpartition("/")[2]
    opened, text = read_text(lowering, f"{lowering.guest.tracing}/kprobe_profile")

    def read(results: BatchResult) -> Outcome:
        if results.done(opened).errno:
            return returned(opened)(results)
        found = re.search(rf"^\s*{re.escape(name)}\s+(\d+)\s+(\d+)$", text(results), re.MULTILINE)
        if found is None:
            return Outcome(errno="ENOENT")
        return Outcome(value=int(found[1]), data=int(found[2]).to_bytes(8, "little"))

    return read


def find_tracepoint(lowering: Lowering, operation: FindTracepoint) -> Reader:
    found, number = _read_id(lowering, operation.tracepoint)
    lowering.names[operation.name] = number
    return first_failure([found, number])


def open_event(lowering: Lowering, operation: OpenEvent) -> Reader:
    config = operation.config
    attr = lowering.structure(
        perf.ATTR,
        {
            "type": perf.TYPE_TRACEPOINT,
            "size": perf.ATTR.size,
            "config": lowering.operand(config) if isinstance(config, Ref) else config,
            "sample_period": operation.sample_period,
            "sample_type": int(operation.sample_type),
            "flags": perf.DISABLED * operation.disabled
            | perf.INHERIT * operation.inherit
            | perf.ENABLE_ON_EXEC * operation.enable_on_exec
            | perf.USE_CLOCKID * operation.monotonic,
            "clockid": CLOCK_MONOTONIC if operation.monotonic else 0,
            "wakeup_events": 1,
        },
    )
    pid = lowering.operand(operation.pid) if isinstance(operation.pid, Ref) else operation.pid
    flags = perf.FLAG_FD_CLOEXEC * operation.close_on_exec
    descriptor = lowering.call("perf_event_open", attr, pid, operation.cpu, -1, flags)
    lowering.opened(operation.name, descriptor)
    lowering.samplings[operation.name] = Sampling(operation.sample_type)
    return returned(descriptor)


def open_output_event(lowering: Lowering, operation: OpenOutputEvent) -> Reader:
    attr = lowering.structure(
        perf.ATTR,
        {
            "type": perf.TYPE_SOFTWARE,
            "size": perf.ATTR.size,
            "config": perf.COUNT_SW_BPF_OUTPUT,
            "sample_period": 1,
            "sample_type": int(operation.sample_type),
            "flags": perf.DISABLED if operation.disabled else 0,
            "wakeup_events": 1,
        },
    )
    descriptor = lowering.call("perf_event_open", attr, operation.pid, operation.cpu, -1, perf.FLAG_FD_CLOEXEC)
    lowering.opened(operation.name, descriptor)
    lowering.samplings[operation.name] = Sampling(operation.sample_type, output=True)
    return returned(descriptor)


def attach(lowering: Lowering, operation: Attach) -> Reader:
    return returned(
        lowering.call("ioctl", lowering.operand(operation.event), perf.IOC_SET_BPF, lowering.operand(operation.program))
    )


def enable(lowering: Lowering, operation: Enable) -> Reader:
    return returned(lowering.call("ioctl", lowering.operand(operation.event), perf.IOC_ENABLE, 0))


def disable(lowering: Lowering, operation: Disable) -> Reader:
    return returned(lowering.call("ioctl", lowering.operand(operation.event), perf.IOC_DISABLE, 0))


def map_ring(lowering: Lowering, operation: MapRing) -> Reader:
    page = lowering.guest.page_size
    size = (1 + operation.data_pages) * page
    control = lowering.builder.alloc(size, align=page)
    event = lowering.operand(operation.event)
    mapped = lowering.call("mmap", control, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, event, 0)
    sampling = lowering.samplings.get(getattr(operation.event, "name", ""), Sampling(SampleType(0)))
    ring = Ring(mapped, control, size, control + page, operation.data_pages * page, sampling)
    return lowering.map_over(operation.name, ring)


def unmap(lowering: Lowering, operation: Unmap) -> Reader:
    """Unmaps; EBADF when the ring is not mapped, as in `harness.lowering.reading.read_ring`."""
    mapping = lowering.mappings.pop(operation.ring.name, None)
    if mapping is None:
        return lambda _: Outcome(errno="EBADF")
    with lowering.builder.unless_failed(mapping.mapped):
        unmapped = lowering.call("munmap", mapping.start, mapping.length)

    def read(results: BatchResult) -> Outcome:
        return Outcome(errno="EBADF") if mapping.failed(results) else returned(unmapped)(results)

    return read


def open_file(lowering: Lowering, operation: OpenFile) -> Reader:
    descriptor = lowering.open(operation.path, O_RDWR | O_CLOEXEC)
    lowering.opened(operation.name, descriptor)
    return returned(descriptor)


def duplicate(lowering: Lowering, operation: Duplicate) -> Reader:
    descriptor = lowering.call("dup", lowering.operand(operation.of))
    lowering.opened(operation.name, descriptor)
    if isinstance(operation.of, Ref) and operation.of.name in lowering.samplings:
        lowering.samplings[operation.name] = lowering.samplings[operation.of.name]
    return returned(descriptor)


def close(lowering: Lowering, operation: Close) -> Reader:
    return returned(lowering.call("close", lowering.operand(operation.descriptor)))


def clean_up(lowering: Lowering, *, process_ends: bool) -> None:
    """Adds steps that close and unmap everything that keeps the script's trace events busy, then remove these.

    A process that ends closes its descriptors itself, which saves the steps where there are no trace events.
    """
    for mapping in lowering.mapped:
        lowering.call("munmap", mapping.start, mapping.length)
    if lowering.probes or not process_ends:
        for descriptor in lowering.descriptors:
            lowering.call("close", descriptor)
        lowering.forget_null_device()
    lowering.put_settings_back()
    for event, removed in lowering.probes.items():
        if removed is None:
            _command(lowering, f"-:{event}\n")
        else:  # not again: kernels print a line for an event that is not there
            with lowering.builder.if_failed(removed):
                _command(lowering, f"-:{event}\n")


def _command(lowering: Lowering, command: str) -> tuple[Result, Result]:
    return lowering.write_to(f"{lowering.guest.tracing}/kprobe_events", command, O_WRONLY | O_APPEND)


def _read_id(lowering: Lowering, event: str) -> tuple[Result, Result]:
    digits = lowering.builder.alloc(32)
    opened = lowering.open(f"{lowering.guest.tracing}/events/{event}/id", O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, digits, 32)
        lowering.call("close", opened)
        number = lowering.builder.parse(digits, length)
    return opened, number
