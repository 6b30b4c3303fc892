# SPDX-License-Identifier: MIT
"""The numbers that fields of operations may hold: those that fit the kernel's own fields, and those for which a guest
has memory.

A wider number would be cut on its way to the kernel, but not in the model, and the difference reported as the kernel's.
A negative one is distinct only where the kernel's field has a sign; write others as the kernel reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.abi import bpf, perf
from harness.abi.layout import Layout
from harness.isa.instruction import Instruction
from harness.script import operations as op
from harness.script.data_classes import field_names
from harness.script.processes import LimitLockedMemory, SetCredentials
from harness.script.surroundings import SetSetting
from hil.agent.steps import MAX_ARENA

ROOM = MAX_ARENA // 2
"""The bytes that all operations of a script may ask for together. The other half is for what is stored twice: a ring
buffer's data, a value for each CPU, a packet that is sent and received."""
_PAGE = 4096


@dataclass(frozen=True)
class Bounds:
    """Numbers from `least` to `most`, or numbers of bytes or characters; `why` says what sets them. Each unit takes
    `nbytes` bytes of a guest's memory."""

    least: int
    most: int
    why: str
    nbytes: int = 0


def _unsigned(bits: int) -> Bounds:
    return Bounds(0, (1 << bits) - 1, f"{bits} bits without a sign")


def _signed(bits: int) -> Bounds:
    return Bounds(-1 << (bits - 1), (1 << (bits - 1)) - 1, f"{bits} bits with a sign")


def _field(layout: Layout, name: str) -> Bounds:
    return _unsigned(8 * layout.fields[name].size)


def _room(unit: int = 1, nbytes: int | None = None) -> Bounds:
    return Bounds(
        0, ROOM // unit, f"a script may ask for {ROOM >> 20} MiB of memory", unit if nbytes is None else nbytes
    )


U32, U64, S32 = _unsigned(32), _unsigned(64), _signed(32)
REGISTER = Bounds(-1 << 63, (1 << 64) - 1, "64 bits, with a sign or without")
DESCRIPTOR = S32
"""`int fd`, or `__u32` in `union bpf_attr`; all values with the highest bit set are equally invalid."""

BOUNDS: Mapping[type, Mapping[str, Bounds]] = {
    op.Untouched: {"nbytes": _room()},
    op.Program: {"maps": U32, "functions": U32},
    op.Types: {"functions": U32, "lines": U32, "globals": U32},
    op.CreateMap: {
        "type": _field(bpf.MAP_CREATE, "map_type"),
        "key_size": _field(bpf.MAP_CREATE, "key_size"),
        "value_size": _field(bpf.MAP_CREATE, "value_size"),
        "max_entries": _field(bpf.MAP_CREATE, "max_entries"),
        "flags": _field(bpf.MAP_CREATE, "map_flags"),
    },
    op.LookupElement: {"map": DESCRIPTOR, "value_size": _room()},
    op.UpdateElement: {"map": DESCRIPTOR, "flags": _field(bpf.ELEMENT, "flags")},
    op.DeleteElement: {"map": DESCRIPTOR},
    op.GetNextKey: {"map": DESCRIPTOR, "key_size": _room()},
    op.ReadElements: {
        "map": DESCRIPTOR,
        "key_size": _room(nbytes=0),
        "value_size": _room(nbytes=0),
        "most": Bounds(1, 1024, "each takes several steps of an agent"),
        "nbytes": _room(),
    },
    op.LoadProgram: {
        "type": _field(bpf.PROG_LOAD, "prog_type"),
        "kern_version": _field(bpf.PROG_LOAD, "kern_version"),
        "log_level": _field(bpf.PROG_LOAD, "log_level"),
        "log_size": _room(nbytes=0),
        "log_nbytes": _room(),
        "attach_type": U32,
        "attach_to": U32,
        "flags": U32,
    },
    op.ReadRuns: {"program": DESCRIPTOR},
    op.CreateKprobe: {"offset": Bounds(0, (1 << 63) - 1, "63 bits")},
    op.OpenEvent: {
        "config": _field(perf.ATTR, "config"),
        "pid": S32,
        "cpu": S32,
        "sample_period": _field(perf.ATTR, "sample_period"),
        "sample_type": _field(perf.ATTR, "sample_type"),
    },
    op.OpenOutputEvent: {"pid": S32, "cpu": S32, "sample_type": _field(perf.ATTR, "sample_type")},
    op.MapRing: {"event": DESCRIPTOR, "data_pages": _room(_PAGE)},
    op.MapRingBuffer: {"map": DESCRIPTOR, "size": _room()},
    op.MapPages: {
        "descriptor": DESCRIPTOR,
        "first": Bounds(0, (1 << 64) // _PAGE - 1, "64 bits for an offset in bytes"),
        "count": _room(_PAGE),
    },
    op.ReadCount: {"event": DESCRIPTOR},
    op.Attach: {"event": DESCRIPTOR, "program": DESCRIPTOR},
    op.Enable: {"event": DESCRIPTOR},
    op.Disable: {"event": DESCRIPTOR},
    op.Trigger: {"arguments": REGISTER, "times": U32},
    op.Duplicate: {"of": DESCRIPTOR},
    op.Close: {"descriptor": DESCRIPTOR},
    op.RunSocketFilter: {
        "program": DESCRIPTOR,
        # unix_dgram_sendmsg(), net/unix/af_unix.c: EMSGSIZE beyond sk_sndbuf - 32; that is net.core.wmem_default.
        "packet": Bounds(0, 1 << 16, "what a socket's send buffer takes on every kernel"),
    },
    op.Part: {"offset": _room(nbytes=0), "size": _room(nbytes=0), "value": REGISTER},
    op.RawBpf: {"command": S32, "size": U32, "length": _room(nbytes=0), "address": U64, "nbytes": _room()},
    op.RawOpenEvent: {"pid": S32, "cpu": S32, "group": DESCRIPTOR, "flags": U64, "length": _room()},
    op.Ioctl: {"descriptor": DESCRIPTOR, "request": U32, "argument": U64},
    # trace_parse_run_command(), kernel/trace/trace.c: EINVAL for a line of WRITE_BUFSIZE, 4096; `{}` becomes longer.
    op.WriteKprobeEvents: {"command": Bounds(0, 2048, "what a line of kprobe_events takes on every kernel")},
    op.Pin: {"cpu": S32},
    op.Thread: {"cpu": S32},
    SetCredentials: {"uid": Bounds(0, (1 << 32) - 2, "32 bits without a sign, of which the highest number is no user")},
    LimitLockedMemory: {"nbytes": U64},
    SetSetting: {"value": REGISTER},
}
"""The bounds, by classes and their fields; every field that takes a number is here."""


def beyond(operation: object) -> str:
    """Returns which field of an operation, or of a part of it, holds a number out of its bounds; empty when none
    does."""
    for whole in _wholes(operation):
        for name, bounds, count, unit in _counts(whole):
            if not bounds.least <= count <= bounds.most:
                return f"has {_number(count)}{unit} as its {name}, which takes {_format(bounds)}"
    return ""


def nbytes(operation: object) -> int:
    """Returns how many bytes of a guest's memory an operation asks for, at least."""
    asked = 0
    for whole in _wholes(operation):
        asked += sum(count * bounds.nbytes for _, bounds, count, _ in _counts(whole))
        fields = (getattr(whole, name) for name in field_names(type(whole)))
        asked += sum(len(one) for field in fields for one in _flat(field) if isinstance(one, bytes | str))
    return asked


def _counts(whole: object) -> Iterator[tuple[str, Bounds, int, str]]:
    for name, bounds in BOUNDS.get(type(whole), {}).items():
        for value in _flat(getattr(whole, name)):
            if isinstance(value, int):
                yield name, bounds, int(value), ""
            elif isinstance(value, bytes | str):
                yield name, bounds, len(value), " bytes" if isinstance(value, bytes) else " characters"


def _wholes(whole: Any) -> Iterator[Any]:
    """Yields a data class and those in it."""
    yield whole
    for name in field_names(type(whole)):
        for value in _flat(getattr(whole, name)):
            if field_names(type(value)):
                yield from _wholes(value)


def _flat(value: object) -> Sequence[object]:
    """Returns what is in tuples, except instructions, of which there may be a million."""
    if not isinstance(value, tuple):
        return (value,)
    if value and isinstance(value[0], Instruction):
        return ()
    return [inner for one in value for inner in _flat(one)]


def _format(bounds: Bounds) -> str:
    return f"{_number(bounds.least)} to {_number(bounds.most)}: {bounds.why}"


def _number(number: int) -> str:
    return str(number) if abs(number) < 1 << 16 else f"{number:#x}"
