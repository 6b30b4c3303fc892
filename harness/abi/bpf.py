"""bpf(2): commands and the parts of `union bpf_attr` they use, include/uapi/linux/bpf.h of Linux 4.1.

The union only ever grew at its end, so a 4.1 layout is valid on every later kernel, which takes absent bytes for zero.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from harness.abi.layout import Layout, u32, u64
from harness.release import Release

ATTR_SIZE = 48
"""sizeof(union bpf_attr) in Linux 4.1."""

PSEUDO_MAP_FD = 1
"""Source register of a `BPF_LD_IMM64` whose immediate is a map's file descriptor."""


RING_BUSY, RING_DISCARD, RING_HEADER_SIZE = 1 << 31, 1 << 30, 8
"""BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ: the header of a record in a ring buffer map."""


class Command(IntEnum):
    """`enum bpf_cmd`."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_GET_INFO_BY_FD = 15


class MapFlag(IntFlag):
    """map_flags, include/uapi/linux/bpf.h; none of them exists in 4.1."""

    NO_PREALLOC = 1
    """Elements are allocated when they are made. Since 4.6."""
    NO_COMMON_LRU = 2
    """Each CPU has a list of its own, of which elements it evicts."""
    NUMA_NODE = 4
    """Since 4.14; the node is 0 unless numa_node says otherwise."""
    RDONLY = 8
    """The descriptor is open for reading only: system calls do not change the map. Since 4.15, like WRONLY."""
    WRONLY = 1 << 4
    STACK_BUILD_ID = 1 << 5
    ZERO_SEED = 1 << 6
    """Keys are hashed without a secret, which only the administrator may wish for."""
    RDONLY_PROG = 1 << 7
    """Programs do not change the map. Since 5.2, like WRONLY_PROG: 591fe9888d78."""
    WRONLY_PROG = 1 << 8
    """Programs change the map and do not read it."""
    CLONE = 1 << 9
    MMAPABLE = 1 << 10
    PRESERVE_ELEMS = 1 << 11
    """Elements of a perf event array outlive the descriptors of the map."""
    INNER_MAP = 1 << 12
    RB_OVERWRITE = 1 << 19


MAP_CREATE = Layout(
    "bpf_attr (map create)",
    ATTR_SIZE,
    {"map_type": u32(0), "key_size": u32(4), "value_size": u32(8), "max_entries": u32(12), "map_flags": u32(16)},
)
"""`map_flags` came in 4.6; on 4.1 a value other than 0 is a non-zero byte in the reserved tail."""

ELEMENT = Layout(
    "bpf_attr (map element)",
    ATTR_SIZE,
    {"map_fd": u32(0), "key": u64(8), "value": u64(16), "next_key": u64(16), "flags": u64(24)},
)

PROG_LOAD = Layout(
    "bpf_attr (program load)",
    ATTR_SIZE,
    {
        "prog_type": u32(0),
        "insn_cnt": u32(4),
        "insns": u64(8),
        "license": u64(16),
        "log_level": u32(24),
        "log_size": u32(28),
        "log_buf": u64(32),
        "kern_version": u32(40),
    },
)

OBJECT_INFO = Layout("bpf_attr (object info)", 16, {"bpf_fd": u32(0), "info_len": u32(4), "info": u64(8)})
PROG_INFO = Layout("bpf_prog_info (its beginning)", 24, {"type": u32(0), "id": u32(4), "jited_prog_len": u32(16)})
"""The kernel fills in as much as the caller has room for."""

TELLS_ENGINE: Release = (4, 13)
"""The release that brought BPF_OBJ_GET_INFO_BY_FD (1e2709769086): before, nothing tells what runs a program."""

NAMES_ALL_IN_LOG: Release = (5, 10)
"""The first release known to have a name for every operation in the verifier's log. 4.1 reads past a table of names to
log one that it does not know: `harness.script.logs`."""
