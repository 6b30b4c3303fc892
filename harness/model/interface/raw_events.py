"""perf_event_open(2), ioctl(2) and kprobe_events as they come, as far as there is a rule.

kernel/events/core.c: sys_perf_event_open(), perf_copy_attr(), perf_ioctl(); kernel/trace/trace_kprobe.c.
"""

from __future__ import annotations

import re

from harness.abi import perf as abi
from harness.model.errno import Errno
from harness.model.interface import perf, permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Event
from harness.model.value import Unpredictable
from harness.script.operations import Ioctl, OpenEvent, RawOpenEvent, Ref, SampleType, WriteKprobeEvents
from harness.script.outcome import Outcome

FIRST_SIZE = 64
"""PERF_ATTR_SIZE_VER0."""
KNOWN_OPEN_FLAGS = 0xF
MOST_SAMPLES = 100_000
"""kernel.perf_event_max_sample_rate."""
CLOCKS = frozenset({0, 1, 4, 7, 11})
"""Those an event may use: perf_event_set_clock()."""
SURELY_NO_FLAG, SURELY_NO_SAMPLE = 48, 32
"""Bits of the attribute's flags and of its sample type from here on have no meaning in any release."""
SURELY_NO_TYPE = range(1 << 16, 1 << 32)
SURELY_NO_IOCTL = range(0x5000, 0x5100)
IOC_EVENT = ord("$")
"""The letter of the numbers that perf events know."""
_COMMENT = re.compile(r"\s*(#.*)?")


def open_event(kernel: Kernel, operation: RawOpenEvent) -> Outcome:
    """The order of PEO-01."""
    fields = {part.offset: part.value for part in operation.parts}
    config = fields.pop(8, 0)
    numbers = {offset: value for offset, value in fields.items() if isinstance(value, int)}
    if numbers.keys() != fields.keys() or not isinstance(config, int | Ref):
        raise Unpredictable("a name where a number is expected")
    if operation.flags & ~KNOWN_OPEN_FLAGS:
        raise Errno("EINVAL")
    if operation.length == 0:
        raise Errno("EFAULT")
    size = numbers.get(4) or FIRST_SIZE
    if not FIRST_SIZE <= size <= kernel.environment.page_size:
        raise Errno("E2BIG")
    flags, period = numbers.get(40, 0), numbers.get(16, 0)
    if flags & abi.FREQUENCY and period > MOST_SAMPLES:
        raise Errno("EINVAL")
    if flags >> SURELY_NO_FLAG or numbers.get(24, 0) >> SURELY_NO_SAMPLE:
        raise Errno("EINVAL")
    if numbers.get(0, 0) in SURELY_NO_TYPE:
        raise Errno("ENOENT")
    _check_known(operation, size, numbers, flags)
    plain = _plain(operation, config, numbers, flags)
    outcome = perf.open_event(kernel, plain, excludes_kernel=bool(flags & abi.EXCLUDE_KERNEL))
    if flags & abi.USE_CLOCKID and numbers.get(92, 0) not in CLOCKS:
        # The half-made event is freed, and takes along what the close of any event does (DET-03).
        kernel.names.close(Ref(operation.name))
        raise Errno("EINVAL")
    return outcome


def ioctl(kernel: Kernel, operation: Ioctl) -> Outcome:
    """Only what no event knows, and what only events do: ENOTTY (ATTACH-20). Some numbers are for any file
    (do_vfs_ioctl(), fs/ioctl.c)."""
    content = kernel.names.file(operation.descriptor).content
    for_events = operation.request >> 8 & 0xFF == IOC_EVENT and not isinstance(content, Event)
    if operation.request in SURELY_NO_IOCTL or for_events:
        raise Errno("ENOTTY")
    raise Unpredictable(f"what ioctl {operation.request:#x} does")


def write_kprobe_events(kernel: Kernel, operation: WriteKprobeEvents) -> Outcome:
    """Only what needs no parser; Errno EACCES, and ENOENT without kprobes."""
    permissions.tracing_files(kernel)
    if not kernel.environment.kprobes:
        raise Errno("ENOENT")
    if _COMMENT.fullmatch(operation.command):
        return Outcome(value=0)
    raise Unpredictable("the model does not parse commands of kprobe_events")


def _check_known(operation: RawOpenEvent, size: int, numbers: dict[int, int], flags: int) -> None:
    if size > abi.ATTR.size or flags & ~(abi.DISABLED | abi.EXCLUDE_KERNEL | abi.USE_CLOCKID) or operation.group != -1:
        raise Unpredictable("what these fields of the attribute mean")
    if numbers.get(0) != abi.TYPE_TRACEPOINT or numbers.get(24, 0) & ~perf.KNOWN_SAMPLES:
        raise Unpredictable("the model knows events of tracepoints only")


def _plain(operation: RawOpenEvent, config: int | Ref, numbers: dict[int, int], flags: int) -> OpenEvent:
    sample_type = SampleType(numbers.get(24, 0))
    disabled = bool(flags & abi.DISABLED)
    period = numbers.get(16, 0)
    return OpenEvent(operation.name, config, operation.pid, operation.cpu, period, sample_type, disabled)
