# SPDX-License-Identifier: MIT
"""perf_event_open(2): `struct perf_event_attr`, ioctl numbers, the ring buffer; include/uapi/linux/perf_event.h."""

from __future__ import annotations

from enum import IntFlag

from harness.abi.layout import Layout, u32, u64

TYPE_SOFTWARE, TYPE_TRACEPOINT = 1, 2
COUNT_SW_PAGE_FAULTS, COUNT_SW_DUMMY, COUNT_SW_BPF_OUTPUT = 2, 9, 10
FLAG_FD_NO_GROUP, FLAG_FD_OUTPUT, FLAG_PID_CGROUP, FLAG_FD_CLOEXEC = 1, 2, 4, 8
ATTR_SIZE_VER0 = 64
SAMPLE_READ, SAMPLE_BRANCH_STACK, SAMPLE_STACK_USER = 1 << 4, 1 << 11, 1 << 13
"""Fields of a sample that scripts ask for only to see them refused; those that the bench reads are in `SampleType`."""

DISABLED, INHERIT, EXCLUDE_KERNEL, FREQUENCY = 1 << 0, 1 << 1, 1 << 5, 1 << 10
ENABLE_ON_EXEC, USE_CLOCKID = 1 << 12, 1 << 25
"""Bits of the flag word of `struct perf_event_attr`, by the names they have there."""


class SampleType(IntFlag):
    """`enum perf_event_sample_format`; the fields a sample record carries."""

    IP = 1 << 0
    TID = 1 << 1
    TIME = 1 << 2
    ADDR = 1 << 3
    ID = 1 << 6
    CPU = 1 << 7
    PERIOD = 1 << 8
    STREAM_ID = 1 << 9
    RAW = 1 << 10


ATTR = Layout(
    "perf_event_attr",
    112,  # PERF_ATTR_SIZE_VER5, Linux 4.1; later kernels take shorter structures
    {
        "type": u32(0),
        "size": u32(4),
        "config": u64(8),
        "sample_period": u64(16),
        "sample_type": u64(24),
        "read_format": u64(32),
        "flags": u64(40),
        "wakeup_events": u32(48),
        "clockid": u32(92),
    },
)

IOC_ENABLE, IOC_DISABLE, IOC_REFRESH, IOC_RESET = 0x2400, 0x2401, 0x2402, 0x2403
IOC_SET_BPF, IOC_PAUSE_OUTPUT = 0x40042408, 0x40042409
IOC_TYPE = ord("$")
"""The type in the ioctl numbers of perf events."""

RING_DATA_HEAD = 1024
"""Offset of `data_head` in `struct perf_event_mmap_page`."""
RING_DATA_TAIL = 1032

RECORD_LOST, RECORD_SAMPLE = 2, 9
