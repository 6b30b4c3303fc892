# SPDX-License-Identifier: MIT
"""Program types: context, helpers, and how each helper is called. Linux 4.1.

Sources: kernel/trace/bpf_trace.c, net/core/filter.c, kernel/bpf/helpers.c of 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from harness.isa.opcodes import Helper
from harness.script.operations import MapType


class Argument(Enum):
    """`enum bpf_arg_type`, include/linux/bpf.h: what a helper demands of one argument."""

    MAP = auto()
    MAP_KEY = auto()
    MAP_VALUE = auto()
    STACK = auto()
    STACK_SIZE = auto()
    """The number of bytes that the helper accesses of the argument before it, which is STACK."""
    MEMORY = auto()
    """Stack, or since 4.11 (5722569bb9c3) the value of a map, and other memory that a program may write to."""
    MEMORY_SIZE = auto()
    """As STACK_SIZE; the argument before it is MEMORY."""
    MEMORY_SIZE_OR_ZERO = auto()
    FILLED_SIZE = auto()
    """As MEMORY_SIZE; the helper writes to all of the memory and reads nothing of it, so that on the stack nothing need
    be there before: ARG_PTR_TO_UNINIT_MEM."""
    FILLED_SIZE_OR_ZERO = auto()
    RECORD_SIZE = auto()
    """The number of bytes that the helper returns a pointer to, which must be known."""
    RECORD = auto()
    """A pointer that a helper returned, and which this one releases."""
    CONTEXT = auto()
    ANYTHING = auto()


class Return(Enum):
    """`enum bpf_return_type`; no helper of 4.1 returns nothing, or memory that must be released."""

    INTEGER = auto()
    MAP_VALUE_OR_NULL = auto()
    RECORD_OR_NULL = auto()
    NOTHING = auto()


@dataclass(frozen=True)
class Prototype:
    """`struct bpf_func_proto`. Registers behind the last argument are not checked. `map` is the only type of map that
    the helper takes, where there is one: check_map_func_compatibility() of 4.2 and later."""

    arguments: tuple[Argument, ...] = ()
    returns: Return = Return.INTEGER
    gpl_only: bool = False
    map: MapType | None = None


@dataclass(frozen=True)
class ContextAccess:
    """Reads of the context: `size` bytes of which aligned pieces of these `widths` may be read, none written, and none
    before `begin`."""

    size: int
    widths: frozenset[int]
    begin: int = 0

    def allows(self, off: int, width: int, *, write: bool) -> bool:
        """The is_valid_access() of the type. Only the beginning of an access is compared with `size`."""
        return not write and self.begin <= off < self.size and width in self.widths and off % width == 0

    def never(self, off: int, width: int, *, write: bool) -> bool:
        """Returns whether an access that is not allowed is refused by later releases, too, as far as it is known."""
        return False


@dataclass(frozen=True)
class ProgramKind:
    """A program type: its context, whether LD_ABS and LD_IND may read a packet, its helpers by number."""

    name: str
    context: ContextAccess
    helpers: Mapping[int, Prototype]
    packet: bool = False


_MAPS: dict[int, Prototype] = {
    Helper.MAP_LOOKUP_ELEM: Prototype((Argument.MAP, Argument.MAP_KEY), Return.MAP_VALUE_OR_NULL),
    Helper.MAP_UPDATE_ELEM: Prototype((Argument.MAP, Argument.MAP_KEY, Argument.MAP_VALUE, Argument.ANYTHING)),
    Helper.MAP_DELETE_ELEM: Prototype((Argument.MAP, Argument.MAP_KEY)),
}

_TRACING: Mapping[int, Prototype] = {
    **_MAPS,
    Helper.PROBE_READ: Prototype((Argument.STACK, Argument.STACK_SIZE, Argument.ANYTHING), gpl_only=True),
    Helper.KTIME_GET_NS: Prototype(gpl_only=True),
    Helper.TRACE_PRINTK: Prototype((Argument.STACK, Argument.STACK_SIZE), gpl_only=True),
}

_FILTER: Mapping[int, Prototype] = {
    **_MAPS,
    Helper.GET_PRANDOM_U32: Prototype(),
    Helper.GET_SMP_PROCESSOR_ID: Prototype(),
}

_CHECKSUM = Prototype((Argument.CONTEXT, Argument.ANYTHING, Argument.ANYTHING, Argument.ANYTHING, Argument.ANYTHING))

_TRAFFIC_CONTROL: Mapping[int, Prototype] = {
    **_FILTER,
    Helper.SKB_STORE_BYTES: Prototype(
        (Argument.CONTEXT, Argument.ANYTHING, Argument.STACK, Argument.STACK_SIZE, Argument.ANYTHING)
    ),
    Helper.L3_CSUM_REPLACE: _CHECKSUM,
    Helper.L4_CSUM_REPLACE: _CHECKSUM,
}


class PacketContext(ContextAccess):
    """`struct __sk_buff` as socket filters see it since 5.10: sk_filter_is_valid_access(), bpf_skb_is_valid_access().

    What is neither allowed nor refused in all releases is left open."""

    def allows(self, off: int, width: int, *, write: bool) -> bool:
        """Returns whether every release allows it: words and their parts, and the control block, also to be written."""
        inside = off >= 0 and off % width == 0
        if CONTROL_BLOCK.start <= off < CONTROL_BLOCK.stop:
            return inside and off + width <= CONTROL_BLOCK.stop
        return inside and not write and width <= 4 and any(off in words for words in _WORDS)

    def never(self, off: int, width: int, *, write: bool) -> bool:
        """Returns whether no release allows it."""
        if not 0 <= off < self.size or off % width or any(off in field for field in _HIDDEN):
            return True
        if off in CONTROL_BLOCK:
            return off + width > CONTROL_BLOCK.stop
        return write or (width > 4 and any(off in words for words in _WORDS))


CONTROL_BLOCK = range(48, 68)
_WORDS = (range(48), range(68, 72), range(84, 88))
"""The length to the control block, hash, and napi_id."""
_HIDDEN = (range(72, 84), range(88, 164))
"""tc_classid, data and its end; what of a socket only other types see, data_meta, flow_keys, tstamp and wire_len."""
PACKET_CONTEXT = PacketContext(192, frozenset({1, 2, 4, 8}))
_SK_BUFF = ContextAccess(36, frozenset({4}))
"""struct __sk_buff of 4.1: nine u32 fields."""


def kprobe(pt_regs_size: int) -> ProgramKind:
    """Returns BPF_PROG_TYPE_KPROBE, whose context is the struct pt_regs of the architecture (168 bytes on x86_64)."""
    return ProgramKind("kprobe", ContextAccess(pt_regs_size, frozenset({1, 2, 4, 8})), _TRACING)


def tracepoint(record_size: int) -> ProgramKind:
    """BPF_PROG_TYPE_TRACEPOINT (4.7), whose context is a trace event's record, up to `record_size` bytes of it, without
    the first eight, where the kernel keeps a pointer to registers: tp_prog_is_valid_access()."""
    return ProgramKind("tracepoint", ContextAccess(record_size, frozenset({1, 2, 4, 8}), begin=8), _TRACING)


SOCKET_FILTER = ProgramKind("socket_filter", _SK_BUFF, _FILTER, packet=True)
SCHED_CLS = ProgramKind("sched_cls", _SK_BUFF, _TRAFFIC_CONTROL, packet=True)
SCHED_ACT = ProgramKind("sched_act", _SK_BUFF, _TRAFFIC_CONTROL, packet=True)
