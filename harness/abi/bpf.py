# SPDX-License-Identifier: MIT
"""bpf(2): commands and the parts of `union bpf_attr` they use, include/uapi/linux/bpf.h of Linux 4.1.

The union only ever grew at its end, so a 4.1 layout is valid on every later kernel, which takes absent bytes for zero.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from harness.abi.layout import Layout, u32, u64
from harness.release import Release

ATTR_SIZE = 48
"""sizeof(union bpf_attr) in Linux 4.1."""

RINGBUF_BUSY_BIT, RINGBUF_DISCARD_BIT, RINGBUF_HDR_SZ = 1 << 31, 1 << 30, 8
"""The header of a record in a ring buffer map."""
RB_NO_WAKEUP, RB_FORCE_WAKEUP = 1, 2
"""Flags of output, submit and discard, which only decide whether poll(2) is woken."""
F_LOCK, F_CPU, F_ALL_CPUS = 4, 8, 16
"""Flags of a map's element: it has a lock; one CPU's value, whose number is in the upper half; one value for all
CPUs."""
F_INDEX_MASK = F_CURRENT_CPU = 0xFFFF_FFFF
"""Flags that choose a perf event."""
F_SKIP_FIELD_MASK, F_USER_STACK, F_FAST_STACK_CMP, F_REUSE_STACKID = 0xFF, 1 << 8, 1 << 9, 1 << 10
"""Flags of bpf_get_stackid()."""


class Command(IntEnum):
    """`enum bpf_cmd`."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_GET_INFO_BY_FD = 15
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    MAP_FREEZE = 22
    LINK_CREATE = 28
    ENABLE_STATS = 32
    ITER_CREATE = 33


class MapType(IntEnum):
    """`enum bpf_map_type`."""

    UNSPEC = 0
    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERF_EVENT_ARRAY = 4
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    STACK_TRACE = 7
    CGROUP_ARRAY = 8
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    QUEUE = 22
    RINGBUF = 27


class ProgramType(IntEnum):
    """`enum bpf_prog_type`."""

    UNSPEC = 0
    SOCKET_FILTER = 1
    KPROBE = 2
    SCHED_CLS = 3
    SCHED_ACT = 4
    TRACEPOINT = 5
    XDP = 6
    PERF_EVENT = 7
    CGROUP_SKB = 8
    CGROUP_SOCK = 9
    LWT_IN = 10
    LWT_OUT = 11
    LWT_XMIT = 12
    SOCK_OPS = 13
    SK_SKB = 14
    CGROUP_DEVICE = 15
    SK_MSG = 16
    RAW_TRACEPOINT = 17
    CGROUP_SOCK_ADDR = 18
    LWT_SEG6LOCAL = 19
    LIRC_MODE2 = 20
    SK_REUSEPORT = 21
    FLOW_DISSECTOR = 22
    CGROUP_SYSCTL = 23
    RAW_TRACEPOINT_WRITABLE = 24
    CGROUP_SOCKOPT = 25
    TRACING = 26
    STRUCT_OPS = 27
    EXT = 28
    LSM = 29
    SK_LOOKUP = 30
    SYSCALL = 31
    NETFILTER = 32


class UpdateFlag(IntEnum):
    """Flags of BPF_MAP_UPDATE_ELEM."""

    ANY = 0
    NOEXIST = 1
    EXIST = 2


class MapFlag(IntEnum):
    """map_flags, include/uapi/linux/bpf.h; none of them exists in 4.1."""

    NO_PREALLOC = 1
    """Elements are allocated when they are made. Since 4.6."""
    NO_COMMON_LRU = 2
    """Each CPU has an LRU list of its own and evicts from that one."""
    NUMA_NODE = 4
    """Since 4.14; the node is 0 unless numa_node says otherwise."""
    RDONLY = 8
    """The descriptor is open for reading only: system calls do not change the map. Since 4.15, like WRONLY."""
    WRONLY = 1 << 4
    STACK_BUILD_ID = 1 << 5
    ZERO_SEED = 1 << 6
    """Keys are hashed with a zero seed, for which only the administrator may ask."""
    RDONLY_PROG = 1 << 7
    """Programs may not change the map. Since 5.2, like WRONLY_PROG: 591fe9888d78."""
    WRONLY_PROG = 1 << 8
    """Programs may change the map but not read it."""
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

PROG_LOAD_FOR = Layout(
    "bpf_attr (program load, with what it is for)",
    112,
    {**PROG_LOAD.fields, "prog_flags": u32(44), "expected_attach_type": u32(68), "attach_btf_id": u32(108)},
)
"""prog_flags since 4.11, expected_attach_type since 4.17, attach_btf_id since 5.5."""

PROG_LOAD_TYPED = Layout(
    "bpf_attr (program load, with the types of its functions)",
    96,
    {
        **PROG_LOAD.fields,
        "prog_btf_fd": u32(72),
        "func_info_rec_size": u32(76),
        "func_info": u64(80),
        "func_info_cnt": u32(88),
    },
)
"""As far as 838e96904ff3 (5.0) filled the union; what is longer than a kernel knows gives E2BIG unless it is 0."""

PROG_LOAD_WITH_LINES = Layout(
    "bpf_attr (program load, with the types of its functions and with lines)",
    120,
    {
        **PROG_LOAD_TYPED.fields,
        "line_info_rec_size": u32(92),
        "line_info": u64(96),
        "line_info_cnt": u32(104),
    },
)
"""Since 5.0: c454a46b5efd."""

PROG_LOAD_ALL = Layout("bpf_attr (program load)", 120, {**PROG_LOAD_WITH_LINES.fields, **PROG_LOAD_FOR.fields})

FUNC_INFO = Layout("bpf_func_info", 8, {"insn_off": u32(0), "type_id": u32(4)})
LINE_INFO = struct.Struct("<4I")
"""struct bpf_line_info: insn_off, file_name_off, line_off, and line_col, which has the column in its low 10 bits."""
COLUMN_BITS = 10
BTF_LOAD = Layout("bpf_attr (BTF load)", ATTR_SIZE, {"btf": u64(0), "btf_size": u32(16)})
OBJECT_INFO = Layout("bpf_attr (object info)", 16, {"bpf_fd": u32(0), "info_len": u32(4), "info": u64(8)})
PROG_INFO = Layout("bpf_prog_info (its beginning)", 24, {"type": u32(0), "id": u32(4), "jited_prog_len": u32(16)})
"""The beginning of struct bpf_prog_info; the kernel fills in as much as the caller has room for."""
WHOLE_PROG_INFO = Layout(
    "bpf_prog_info",
    184,
    {
        "jited_prog_len": u32(16),
        "xlated_prog_len": u32(20),
        "jited_prog_insns": u64(24),
        "xlated_prog_insns": u64(32),
        "nr_jited_ksyms": u32(104),
        "nr_jited_func_lens": u32(108),
        "jited_ksyms": u64(112),
        "jited_func_lens": u64(120),
        "nr_line_info": u32(148),
        "line_info": u64(152),
        "jited_line_info": u64(160),
        "nr_jited_line_info": u32(168),
        "line_info_rec_size": u32(172),
        "jited_line_info_rec_size": u32(176),
    },
)
"""struct bpf_prog_info as far as its lines; since 5.0, like TELLS_LINES."""

PROG_RUNS = Layout("bpf_prog_info (with its runs)", 216, {"run_cnt": u64(200), "recursion_misses": u64(208)})
"""Since 5.1 (492ecee892c2) and 5.12 (9ed9e9ba2337)."""

TELLS_LINES: Release = (5, 0)
"""The release that brought lines of programs and their native addresses (c454a46b5efd)."""

TELLS_ENGINE: Release = (4, 13)
"""The release that brought BPF_OBJ_GET_INFO_BY_FD (1e2709769086): before, the kernel does not tell which engine runs a
program."""

NAMES_ALL_IN_LOG: Release = (5, 10)
"""The first release known to have a name for every operation in the verifier's log. For an operation that it does not
know, 4.1 reads past the end of a table of names: `harness.script.logs`."""
