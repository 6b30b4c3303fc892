# SPDX-License-Identifier: MIT
"""BPF_MAP_*_ELEM and BPF_MAP_GET_NEXT_KEY with raw descriptors, keys, values and flags."""

from __future__ import annotations

from harness.abi.bpf import Command
from harness.clauses.bpf.parts import HASH_MAP, KERNEL_ADDRESS, KEY, VALUE, clause, element
from harness.clauses.parts import MAP
from harness.core_scripts.parts import array, u32, u64
from harness.script.clause import Clause, Said, expect
from harness.script.operations import (
    Buffer,
    CreateMap,
    LookupElement,
    MapType,
    Part,
    RawBpf,
    UpdateElement,
)


def elements_clauses() -> tuple[Clause, ...]:
    lookup, update, delete, next_key = (Command(number) for number in (1, 2, 3, 4))
    table = RawBpf(0, HASH_MAP, name="map")

    def ending(content: bytes) -> Buffer:
        return Buffer(content, guarded=True)

    filled = (table, UpdateElement(MAP, u32(1), u64(1)))
    rows: tuple[tuple[str, str, RawBpf, Said], ...] = (
        (
            "MAP-20.key",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the key cannot be read",
            RawBpf(lookup, element(MAP, 0, VALUE)),
            "EFAULT",
        ),
        (
            "MAP-20.descriptor-first",
            "BPF_MAP_LOOKUP_ELEM looks at the descriptor before the key: it gives EBADF if both are wrong",
            RawBpf(lookup, element(-1, 0, 0)),
            "EBADF",
        ),
        (
            "MAP-20.value",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the value cannot be written to the caller's memory",
            RawBpf(lookup, element(MAP, Buffer(u32(1)), 0)),
            "EFAULT",
        ),
        (
            "MAP-20.kernel",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the value is to be written to a kernel address",
            RawBpf(lookup, element(MAP, Buffer(u32(1)), KERNEL_ADDRESS)),
            "EFAULT",
        ),
        (
            "MAP-20.key-end",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the caller's memory ends within the key",
            RawBpf(lookup, element(MAP, ending(u32(1)[:3]), VALUE)),
            "EFAULT",
        ),
        (
            "MAP-20.value-end",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the caller's memory ends within the value",
            RawBpf(lookup, element(MAP, ending(u32(1)), ending(bytes(7)))),
            "EFAULT",
        ),
        (
            "MAP-20.end",
            "BPF_MAP_LOOKUP_ELEM touches nothing behind key and value",
            RawBpf(lookup, element(MAP, ending(u32(1)), ending(bytes(8)))),
            0,
        ),
        (
            "MAP-24",
            "BPF_MAP_LOOKUP_ELEM of an absent key gives ENOENT, even if the value could not be written",
            RawBpf(lookup, element(MAP, Buffer(u32(2)), 0)),
            "ENOENT",
        ),
        (
            "MAP-21.key",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the key cannot be read",
            RawBpf(update, element(MAP, 0, VALUE)),
            "EFAULT",
        ),
        (
            "MAP-21.value",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the value cannot be read",
            RawBpf(update, element(MAP, KEY, 0)),
            "EFAULT",
        ),
        (
            "MAP-21.key-end",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the caller's memory ends within the key",
            RawBpf(update, element(MAP, ending(u32(1)[:3]), VALUE)),
            "EFAULT",
        ),
        (
            "MAP-21.value-end",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the caller's memory ends within the value",
            RawBpf(update, element(MAP, ending(u32(1)), ending(bytes(7)))),
            "EFAULT",
        ),
        (
            "MAP-21.end",
            "BPF_MAP_UPDATE_ELEM reads nothing behind key and value",
            RawBpf(update, element(MAP, ending(u32(1)), ending(u64(7)))),
            0,
        ),
        (
            "MAP-21.full",
            "BPF_MAP_UPDATE_ELEM of a further key gives E2BIG if the map is full, with key and value that can be read",
            RawBpf(update, element(MAP, KEY, VALUE)),
            "E2BIG",
        ),
        (
            "MAP-25",
            "BPF_MAP_UPDATE_ELEM reads the value before it looks at the flags: it gives EFAULT if both are wrong",
            RawBpf(update, element(MAP, KEY, 0, Part(24, 8, 3))),
            "EFAULT",
        ),
        (
            "MAP-22.key",
            "BPF_MAP_DELETE_ELEM gives EFAULT if the key cannot be read",
            RawBpf(delete, element(MAP, 0)),
            "EFAULT",
        ),
        (
            "MAP-23.null",
            "BPF_MAP_GET_NEXT_KEY with a null pointer as key returns the first key",
            RawBpf(next_key, element(MAP, None, VALUE)),
            0,
        ),
        (
            "MAP-23.key",
            "BPF_MAP_GET_NEXT_KEY gives EFAULT if there is a key and it cannot be read",
            RawBpf(next_key, element(MAP, KERNEL_ADDRESS, VALUE)),
            "EFAULT",
        ),
        (
            "MAP-23.room",
            "BPF_MAP_GET_NEXT_KEY gives EFAULT if the next key cannot be written to the caller's memory",
            RawBpf(next_key, element(MAP, None, 0)),
            "EFAULT",
        ),
        (
            "MAP-23.end",
            "BPF_MAP_GET_NEXT_KEY gives EFAULT if the caller's memory ends within the next key",
            RawBpf(next_key, element(MAP, None, ending(bytes(3)))),
            "EFAULT",
        ),
        (
            "MAP-23.none",
            "BPF_MAP_GET_NEXT_KEY behind the last key gives ENOENT, even if a key could not be written",
            RawBpf(next_key, element(MAP, Buffer(u32(1)), 0)),
            "ENOENT",
        ),
    )
    return (
        *(clause(id, sentence, *filled, expect(call, said)) for id, sentence, call, said in rows),
        *(
            clause(
                f"MAP-20.per-cpu-{size}",
                f"BPF_MAP_LOOKUP_ELEM on a per-CPU array with values of 5 bytes writes 8 bytes for each of two CPUs; "
                f"into {size} bytes at the end of the caller's memory it gives {told}",
                CreateMap("map", MapType.PERCPU_ARRAY, 4, 5, 1),
                expect(RawBpf(lookup, element(MAP, ending(u32(0)), ending(bytes(size)))), said),
                expect(LookupElement(MAP, u32(0), 5, per_cpu=True), bytes(16)),
                since="5.10",
            )
            for size, said, told in ((5, "EFAULT", "EFAULT"), (15, "EFAULT", "EFAULT"), (16, 0, "0"))
        ),
        clause(
            "MAP-40.key",
            "BPF_MAP_DELETE_ELEM on an array reads the key and gives EFAULT if it cannot, although nothing "
            "can be deleted",
            array("map"),
            expect(RawBpf(delete, element(MAP, 0)), "EFAULT"),
        ),
    )
