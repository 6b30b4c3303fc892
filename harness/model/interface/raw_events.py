# SPDX-License-Identifier: MIT
"""perf_event_open(2), ioctl(2) and kprobe_events with raw arguments, as far as there is a rule.

kernel/events/core.c: sys_perf_event_open(), perf_copy_attr(), perf_ioctl(); kernel/trace/trace_kprobe.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.abi import perf as abi
from harness.abi.numbers import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_TAI,
    IOC_TYPEMASK,
    IOC_TYPESHIFT,
)
from harness.model.errno import Errno
from harness.model.interface import perf, permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Event
from harness.model.unpredictable import Unpredictable
from harness.script.operations import Ioctl, OpenEvent, RawOpenEvent, Ref, SampleType, WriteKprobeEvents
from harness.script.outcome import Outcome
from harness.script.reason import Gap
from harness.script.structures import Filled

KNOWN_OPEN_FLAGS = abi.FLAG_FD_NO_GROUP | abi.FLAG_FD_OUTPUT | abi.FLAG_PID_CGROUP | abi.FLAG_FD_CLOEXEC
MOST_SAMPLES = 100_000
"""kernel.perf_event_max_sample_rate."""
CLOCKS = frozenset({CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI})
"""The clocks that an event may use: perf_event_set_clock()."""
SURELY_NO_FLAG, SURELY_NO_SAMPLE = 48, 32
"""The first bits of the attribute's flags and of its sample type that have no meaning in any release."""
SURELY_NO_TYPE = range(1 << 16, 1 << 32)
SURELY_NO_IOCTL = range(0x5000, 0x5100)
_COMMENT = re.compile(r"\s*(#.*)?")


def open_event(kernel: Kernel, operation: RawOpenEvent) -> Outcome:
    """Opens an event, with the checks in the order of PEO-01."""
    if operation.flags & ~KNOWN_OPEN_FLAGS:
        raise Errno("EINVAL")
    if operation.length == 0:
        raise Errno("EFAULT")
    attr = _attribute(operation)
    size = attr.size or abi.ATTR_SIZE_VER0
    if not abi.ATTR_SIZE_VER0 <= size <= kernel.environment.page_size:
        raise Errno("E2BIG")
    if size > operation.length:
        raise Unpredictable("what lies behind the caller's attribute")
    if attr.flags & abi.FREQUENCY and attr.sample_period > MOST_SAMPLES:
        raise Errno("EINVAL")
    if attr.flags >> SURELY_NO_FLAG or attr.sample_type >> SURELY_NO_SAMPLE:
        raise Errno("EINVAL")
    if attr.type in SURELY_NO_TYPE:
        raise Errno("ENOENT")
    _check_known(operation, attr, size)
    plain = OpenEvent(
        operation.name,
        attr.config,
        operation.pid,
        operation.cpu,
        attr.sample_period,
        SampleType(attr.sample_type),
        bool(attr.flags & abi.DISABLED),
    )
    outcome = perf.open_event(kernel, plain, excludes_kernel=bool(attr.flags & abi.EXCLUDE_KERNEL))
    if attr.flags & abi.USE_CLOCKID and attr.clockid not in CLOCKS:
        # The half-made event is freed, and takes along what the close of any event does (DET-03).
        kernel.names.close(Ref(operation.name))
        raise Errno("EINVAL")
    return outcome


def ioctl(kernel: Kernel, operation: Ioctl) -> Outcome:
    """Predicts only ioctls that no event knows, and those that only events have: ENOTTY (ATTACH-20). Some numbers are
    for any file (do_vfs_ioctl(), fs/ioctl.c)."""
    content = kernel.names.file(operation.descriptor).content
    for_events = operation.request >> IOC_TYPESHIFT & IOC_TYPEMASK == abi.IOC_TYPE and not isinstance(content, Event)
    if operation.request in SURELY_NO_IOCTL or for_events:
        raise Errno("ENOTTY")
    raise Unpredictable(f"what ioctl {operation.request:#x} does", Gap.INPUT)


def write_kprobe_events(kernel: Kernel, operation: WriteKprobeEvents) -> Outcome:
    """Predicts only what needs no parser; raises Errno EACCES, and ENOENT without kprobes."""
    permissions.tracing_files(kernel)
    if not kernel.environment.kprobes:
        raise Errno("ENOENT")
    if _COMMENT.fullmatch(operation.command):
        return Outcome(value=0)
    raise Unpredictable("the model does not parse commands of kprobe_events", Gap.INPUT)


@dataclass(frozen=True)
class _Attribute:
    """The fields of `struct perf_event_attr` that there are rules for, under their names in `harness.abi.perf.ATTR`."""

    type: int
    size: int
    config: int | Ref
    sample_period: int
    sample_type: int
    flags: int
    clockid: int


def _attribute(operation: RawOpenEvent) -> _Attribute:
    """Reads the fields; raises Unpredictable where one is only known to the guest, except for a trace event by its
    name."""
    filled, places = Filled(operation.parts, operation.length), abi.ATTR.fields
    names = ("type", "size", "sample_period", "sample_type", "flags", "clockid")
    numbers = {name: filled.number(places[name]) for name in names}
    number, named = filled.number(places["config"]), filled.named(places["config"])
    config = named if number is None else number
    known = {name: number for name, number in numbers.items() if number is not None}
    other = sum(not isinstance(part.value, int) for part in operation.parts) > isinstance(config, Ref)
    if known.keys() != numbers.keys() or not isinstance(config, int | Ref) or other:
        raise Unpredictable("a name where a number is expected")
    return _Attribute(config=config, **known)


def _check_known(operation: RawOpenEvent, attr: _Attribute, size: int) -> None:
    known = abi.DISABLED | abi.EXCLUDE_KERNEL | abi.USE_CLOCKID
    if size > abi.ATTR.size or attr.flags & ~known or operation.group != -1:
        raise Unpredictable("what these fields of the attribute mean", Gap.INPUT)
    if attr.type != abi.TYPE_TRACEPOINT or attr.sample_type & ~perf.KNOWN_SAMPLES:
        raise Unpredictable("the model knows events of tracepoints only", Gap.INPUT)
