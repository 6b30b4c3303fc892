# SPDX-License-Identifier: MIT
"""Values of fields of operations beside numbers: references, bytes in memory, programs."""

from __future__ import annotations

from dataclasses import dataclass

from harness.isa.instruction import Instruction


@dataclass(frozen=True)
class Ref:
    """A reference to what an earlier operation of the script made under this name: a file descriptor, or the id of a
    trace event."""

    name: str


Descriptor = Ref | int
"""A file descriptor: of something the script made, or a plain number for error paths."""


@dataclass(frozen=True)
class Buffer:
    """Bytes that the script puts into the memory of the calling process; stands for their address. If `guarded`, they
    end where memory ends: the byte after them cannot be read."""

    content: bytes
    guarded: bool = False


@dataclass(frozen=True)
class Pointers:
    """An array of the addresses of buffers; stands for its own address."""

    buffers: tuple[Buffer, ...]


@dataclass(frozen=True)
class Functions:
    """The functions of the running kernel that may be traced, and whose names match `pattern`, in which `*` is any
    text and `?` any character. In a part of 8 bytes it stands for the address of an array of the addresses of their
    names; in one of 4 bytes for how many there are."""

    pattern: str


@dataclass(frozen=True)
class EventSource:
    """A source of perf events (PMU) whose number each kernel chooses anew: what is in
    /sys/bus/event_source/devices/NAME/type; -1 where there is none of that name."""

    name: str


@dataclass(frozen=True)
class Untouched:
    """Bytes of the calling process's memory that were never accessed, so that no page is there; stands for their
    address."""

    nbytes: int


@dataclass(frozen=True)
class Program:
    """Instructions, and the maps they refer to: `maps[i]` is the map whose descriptor goes into the immediate of
    instruction `i`, the first half of a `BPF_LD_IMM64` with source `BPF_PSEUDO_MAP_FD`.

    `functions` are the indices at which functions begin, and their names: func_info. With them, loading the program
    first makes type information by which each returns an int (BPF_BTF_LOAD). Without any, the kernel is told nothing
    of the program's functions.
    """

    instructions: tuple[Instruction, ...]
    maps: tuple[tuple[int, Ref], ...] = ()
    functions: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Types:
    """What a program is told of itself beside its instructions: the type information `btf` that an earlier operation
    loaded, and by the instruction that each begins with, in this order, the number in it of the type of each of its
    `functions`, and its `lines`: offsets in its strings of the file and of the text, the line and column in one number
    (func_info, line_info). The functions at `globals`, the first one left out, are global: the kernel verifies each by
    its type alone.

    Where the type information was not loaded, the program is loaded without.
    """

    btf: Ref
    functions: tuple[tuple[int, int], ...]
    lines: tuple[tuple[int, int, int, int], ...] = ()
    globals: tuple[int, ...] = ()
