"""perf_event_open(2): `struct perf_event_attr`, ioctl numbers, the ring buffer; include/uapi/linux/perf_event.h."""

from __future__ import annotations

from harness.abi.layout import Layout, u32, u64

TYPE_SOFTWARE = 1
TYPE_TRACEPOINT = 2
COUNT_SW_BPF_OUTPUT = 10
FLAG_FD_CLOEXEC = 8
DISABLED, INHERIT, EXCLUDE_KERNEL, FREQUENCY = 1 << 0, 1 << 1, 1 << 5, 1 << 10
ENABLE_ON_EXEC, USE_CLOCKID = 1 << 12, 1 << 25
"""Bits of the flag word of `struct perf_event_attr`, by the names they have there."""

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

IOC_ENABLE = 0x2400
IOC_DISABLE = 0x2401
IOC_SET_BPF = 0x40042408

RING_DATA_HEAD = 1024
"""Offset of `data_head` in `struct perf_event_mmap_page`."""
RING_DATA_TAIL = 1032

RECORD_LOST = 2
RECORD_SAMPLE = 9
