# SPDX-License-Identifier: MIT
"""bpf(2) as far as it lists what a kernel holds, include/uapi/linux/bpf.h of Linux 6.12.

Identifiers came in 4.13 (34ad5580f8f9), those of BTF in 5.0, and those of links in 5.8.
"""

from __future__ import annotations

from enum import IntEnum

from harness.abi.layout import Layout, u32, u64


class Listing(IntEnum):
    """Commands of `enum bpf_cmd`."""

    PROG_GET_NEXT_ID = 11
    MAP_GET_NEXT_ID = 12
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    TASK_FD_QUERY = 20
    BTF_GET_NEXT_ID = 23
    LINK_GET_FD_BY_ID = 30
    LINK_GET_NEXT_ID = 31


NEXT_ID = Layout("bpf_attr (next id)", 12, {"start_id": u32(0), "next_id": u32(4)})
FD_BY_ID = Layout("bpf_attr (descriptor by id)", 12, {"id": u32(0)})
TASK_FD_QUERY = Layout(
    "bpf_attr (task fd query)",
    48,
    {
        "pid": u32(0),
        "fd": u32(4),
        "buf_len": u32(12),
        "buf": u64(16),
        "prog_id": u32(24),
        "fd_type": u32(28),
        "probe_offset": u64(32),
        "probe_addr": u64(40),
    },
)
"""What a perf event of a process is attached to; since 4.18 (41bdc4b40ed6)."""

FD_TYPES = ("raw tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")
"""`enum bpf_task_fd_type`."""
LINK_TYPES = (
    "unspec",
    "raw tracepoint",
    "tracing",
    "cgroup",
    "iter",
    "netns",
    "xdp",
    "perf event",
    "kprobe multi",
    "struct_ops",
    "netfilter",
    "tcx",
    "uprobe multi",
    "netkit",
    "sockmap",
)
"""`enum bpf_link_type`."""

INFO_SIZE = 80
"""Bytes of struct bpf_prog_info up to the end of its name; the other structures are shorter so far."""
PROG_NAME, MAP_NAME, NAME_SIZE = 64, 24, 16
"""Where the names are; since 4.15, before there is zero."""
