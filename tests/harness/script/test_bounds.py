# SPDX-License-Identifier: MIT
"""Numbers that a kernel's field, a guest's memory or a socket does not hold are told when a script is built."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Flag
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from harness.isa.assemble import exit_, program
from harness.isa.instruction import Instruction
from harness.script.bounds import BOUNDS, ROOM
from harness.script.malformed import Malformed
from harness.script.operations import (
    Attach,
    Buffer,
    Close,
    CreateKprobe,
    CreateMap,
    Fork,
    GetNextKey,
    Ioctl,
    LoadProgram,
    LookupElement,
    MapPages,
    MapRing,
    OpenEvent,
    OpenFile,
    Operation,
    Part,
    Pin,
    RawBpf,
    RawOpenEvent,
    ReadElements,
    RunSocketFilter,
    RunThreads,
    SampleType,
    Script,
    Thread,
    Trigger,
    Untouched,
    UpdateElement,
    WriteKprobeEvents,
)
from harness.script.outcome import PerCpu
from harness.script.processes import Exit, LimitLockedMemory, SetCredentials
from hil.agent.steps import MAX_ARENA

EMPTY = program(exit_())


def built(*operations: Operation) -> Script:
    return Script("s", "", operations)


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        (CreateMap("m", 1, -1, 4, 4), "has -1 as its key_size, which takes 0 to 0xffffffff: 32 bits without a sign"),
        (CreateMap("m", 1, 1 << 40, 4, 4), "has 0x10000000000 as its key_size, which takes 0 to 0xffffffff: 32 bits"),
        (CreateMap("m", 1, 4, 4, 4, 1 << 40), "has 0x10000000000 as its flags, which takes 0 to 0xffffffff"),
        (UpdateElement(-1, b"", b"", 1 << 70), "as its flags, which takes 0 to 0xffffffffffffffff: 64 bits without"),
        (UpdateElement(-1, b"", b"", -1), "has -1 as its flags, which takes 0 to 0xffffffffffffffff: 64 bits without"),
        (Close(1 << 32), "has 0x100000000 as its descriptor, which takes -0x80000000 to 0x7fffffff: 32 bits with a"),
        (Close(1 << 70), "as its descriptor, which takes"),
        (Attach(-1, 1 << 31), "has 0x80000000 as its program, which takes"),
        (OpenEvent("e", 1, pid=1 << 40), "has 0x10000000000 as its pid, which takes -0x80000000 to 0x7fffffff"),
        (OpenEvent("e", 1, cpu=1 << 32), "has 0x100000000 as its cpu, which takes"),
        (OpenEvent("e", 1, sample_period=-1), "has -1 as its sample_period, which takes 0 to 0xffffffffffffffff"),
        (OpenEvent("e", 1, sample_type=SampleType(1 << 64)), "as its sample_type, which takes"),
        (LoadProgram("p", 1, EMPTY, kern_version=-1), "has -1 as its kern_version, which takes 0 to 0xffffffff"),
        (LoadProgram("p", 1, EMPTY, log_level=1 << 32), "as its log_level, which takes 0 to 0xffffffff"),
        (CreateKprobe("p", "f", offset=1 << 63), "as its offset, which takes 0 to 0x7fffffffffffffff"),
        (Trigger("null_lseek", (1 << 64,)), "as its arguments, which takes -0x8000000000000000 to 0xffffffffffffffff"),
        (Trigger("null_lseek", (), 1 << 33), "has 0x200000000 as its times, which takes 0 to 0xffffffff"),
        (Ioctl(-1, 1 << 40), "has 0x10000000000 as its request, which takes 0 to 0xffffffff"),
        (RawBpf(1 << 70), "as its command, which takes -0x80000000 to 0x7fffffff"),
        (RawBpf(1, address=-1), "has -1 as its address, which takes 0 to 0xffffffffffffffff"),
        (RawBpf(1, (Part(0, 8, 1 << 70),)), "stores 0x400000000000000000 in 8 bytes, where it has no room"),
        (RawBpf(1, (Part(0, 4, -(1 << 31) - 1),)), "stores -0x80000001 in 4 bytes, where it has no room"),
        (RawOpenEvent("e", (Part(0, 4, 1 << 32),)), "stores 0x100000000 in 4 bytes, where it has no room"),
        (RawOpenEvent("e", (), flags=-1), "has -1 as its flags, which takes 0 to 0xffffffffffffffff"),
        (Pin(1 << 40), "has 0x10000000000 as its cpu, which takes"),
    ],
)
def test_a_number_fits_the_kernels_field(operation: Operation, wrong: str) -> None:
    with pytest.raises(Malformed) as told:
        built(operation)
    assert wrong in str(told.value)


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        (RawBpf(1, size=-1), "has -1 as its size, which takes 0 to 0xffffffff"),
        (RawBpf(1, size=1 << 40), "has 0x10000000000 as its size, which takes 0 to 0xffffffff"),
        (RawBpf(1, size=1 << 31), "has 0x80000000 as its nbytes, which takes 0 to 0x2000000: a script may ask for"),
        (RawBpf(1, length=-1), "has -1 as its length, which takes 0 to 0x2000000: a script may ask for"),
        (RawBpf(1, (Part(1 << 40, 8, 1),)), "has 0x10000000000 as its offset, which takes 0 to 0x2000000"),
        (RawBpf(1, (Part(0, 1 << 40, 1),)), "has 0x10000000000 as its size, which takes 0 to 0x2000000"),
        (RawOpenEvent("e", (), length=-1), "has -1 as its length, which takes 0 to 0x2000000"),
        (Trigger("write_null", (Untouched(-1), 3)), "has -1 as its nbytes, which takes 0 to 0x2000000"),
        (Trigger("write_null", (Untouched(1 << 40), 3)), "has 0x10000000000 as its nbytes, which takes 0 to 0x2000000"),
        (LookupElement(-1, b"", -1), "has -1 as its value_size, which takes 0 to 0x2000000"),
        (LookupElement(-1, b"", 1 << 28), "has 0x10000000 as its value_size, which takes 0 to 0x2000000"),
        (GetNextKey(-1, b"", -1), "has -1 as its key_size, which takes 0 to 0x2000000"),
        (LoadProgram("p", 1, EMPTY, log_level=1, log_size=-1), "has -1 as its log_size, which takes 0 to 0x2000000"),
        (LoadProgram("p", 1, EMPTY, log_level=1, log_size=1 << 34), "has 0x400000000 as its log_size, which takes"),
        (MapRing("r", -1, -1), "has -1 as its data_pages, which takes 0 to 8192: a script may ask for 32 MiB"),
        (MapPages(-1, 0, -1), "has -1 as its count, which takes 0 to 8192"),
        (MapPages(-1, -1, 1), "has -1 as its first, which takes 0 to 0xfffffffffffff"),
        (
            RunSocketFilter(-1, bytes(1 << 20)),
            "has 0x100000 bytes as its packet, which takes 0 to 0x10000: what a socket",
        ),
        (WriteKprobeEvents("#" * 5000), "has 5000 characters as its command, which takes 0 to 2048: what a line"),
        (RunThreads((Thread(0, (RawBpf(1, size=-1),)),)), "has -1 as its size"),
    ],
)
def test_a_number_can_be_sent(operation: Operation, wrong: str) -> None:
    with pytest.raises(Malformed) as told:
        built(operation)
    assert wrong in str(told.value)


@pytest.mark.parametrize("operation", [SetCredentials(-1), SetCredentials((1 << 32) - 1), LimitLockedMemory(-1)])
def test_a_child_is_held_to_it_too(operation: Operation) -> None:
    with pytest.raises(Malformed, match=r"operation 1, .* which takes 0 to 0x"):
        built(Fork(), operation, Exit())


@pytest.mark.parametrize(
    "operation",
    [
        CreateMap("m", 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        UpdateElement(-1, b"", b"", (1 << 64) - 1),
        Close(-1 << 31),
        Close((1 << 31) - 1),
        Trigger("null_lseek", (-1, (1 << 64) - 1), 0xFFFFFFFF),
        RawBpf(-1, (Part(0, 4, -1), Part(4, 1, 0xFF), Part(5, 1, -0x80), Part(8, 8, (1 << 64) - 1))),
        RawBpf(1, size=0xFFFFFFFF, length=0),
        RawBpf(1, size=0xFFFFFFFF, address=(1 << 64) - 1),
        OpenEvent("e", (1 << 64) - 1, pid=-1, sample_period=(1 << 64) - 1),
        LookupElement(-1, b"", ROOM),
        RunSocketFilter(-1, bytes(1 << 16)),
    ],
)
def test_the_last_number_that_fits_is_fine(operation: Operation) -> None:
    built(operation)


@pytest.mark.parametrize(
    "operations",
    [
        (LookupElement(-1, None, ROOM // 2), LookupElement(-1, None, ROOM // 2 + 1)),
        (MapRing("a", -1, ROOM // 4096), Close(-1), GetNextKey(-1, None, 1)),
        (UpdateElement(-1, bytes(ROOM // 2), bytes(ROOM // 2 + 1)),),
        (OpenFile("f", "/" * ROOM),),
        (UpdateElement(-1, None, PerCpu(bytes(ROOM + 1))),),
        (Trigger("write_null", (Buffer(bytes(ROOM)), 1)), RawBpf(1)),
        (RunThreads((Thread(0, (RawBpf(1, length=ROOM),)), Thread(0, (RawBpf(1),)))),),
    ],
)
def test_what_operations_ask_for_together_fits_a_guest(operations: tuple[Operation, ...]) -> None:
    with pytest.raises(Malformed, match=rf"ask for \d+ bytes of memory together; a script has room for {ROOM}"):
        built(*operations)
    assert ROOM < MAX_ARENA


def test_a_log_that_nobody_asks_for_takes_no_room() -> None:
    names = [f"p{index}" for index in range(ROOM // 65536 + 1)]
    built(*[LoadProgram(name, 1, EMPTY) for name in names])
    with pytest.raises(Malformed, match="of memory together"):
        built(*[LoadProgram(name, 1, EMPTY, log_level=1) for name in names])


def test_every_field_that_takes_a_number_has_bounds() -> None:
    numbers = {(one, name) for one in _data_classes(Operation) for name in _numbers(one)}
    assert len(numbers) > 50
    bounded = {(one, name) for one, names in BOUNDS.items() for name in names}
    assert not numbers - bounded
    assert {(one, name) for one, name in bounded - numbers} == {
        (RunSocketFilter, "packet"),
        (WriteKprobeEvents, "command"),
        (LoadProgram, "log_nbytes"),
        (RawBpf, "nbytes"),
        (ReadElements, "nbytes"),
    }


def _data_classes(declared: Any) -> Iterator[type]:
    """Every class of an operation, or of a part of one."""
    for one in _named(declared):
        if is_dataclass(one) and one is not Instruction:
            yield one
            for inner in get_type_hints(one).values():
                if inner != declared and Operation not in (inner, *get_args(inner)):
                    yield from _data_classes(inner)


def _numbers(one: type) -> Iterator[str]:
    """Its fields that may hold a number; those of an enumeration are what they are, unless they are flags."""
    for field in fields(one):
        for kind in _named(get_type_hints(one)[field.name]):
            if kind is int or (issubclass(kind, Flag) and issubclass(kind, int)):
                yield field.name


def _named(declared: Any) -> Iterator[type]:
    """The classes in a declaration."""
    if get_origin(declared) is None:
        yield declared
    for one in get_args(declared):
        if one is not ...:
            yield from _named(one)
