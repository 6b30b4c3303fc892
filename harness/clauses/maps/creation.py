# SPDX-License-Identifier: MIT
"""BPF_MAP_CREATE: the valid types, sizes and numbers of elements."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.clauses.maps.parts import ARRAY, clause
from harness.clauses.parts import MAP
from harness.core_scripts.parts import array, u32, u64
from harness.script.clause import WORKS, Clause, Said, expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    LookupElement,
    MapType,
    Ref,
    UpdateElement,
)

NO_ROWS: Mapping[str, Said] = MappingProxyType({})


def creation_clauses() -> tuple[Clause, ...]:
    return (
        *(
            _created(id, f"A hash map {what} gives EINVAL", MapType.HASH, *sizes, "EINVAL")
            for id, what, sizes in (
                ("MAP-02.key", "with a key of size 0", (0, 8, 1)),
                ("MAP-02.value", "with a value of size 0", (4, 0, 1)),
                ("MAP-02.entries", "for 0 elements", (4, 8, 0)),
                ("MAP-02.before-MAP-03", "with a value of size 0, whatever the size of its key,", (513, 0, 1)),
            )
        ),
        _created(
            "MAP-03",
            "A hash map with a key of 513 bytes gives E2BIG in 4.1 and 5.10, where a key has at most 512 "
            "bytes; since 6.1 only memory limits it",
            MapType.HASH,
            *(513, 8, 1, "E2BIG", {"6.1": WORKS}),
        ),
        clause(
            "MAP-03.limit",
            "A hash map may have a key of 512 bytes",
            expect(CreateMap("map", MapType.HASH, 512, 8, 1), WORKS),
        ),
        _created(
            "MAP-04",
            "A hash map with a key of 513 bytes and 2^32 - 1 elements gives E2BIG: 4.1 looks at the size of "
            "the key before it counts the buckets",
            MapType.HASH,
            *(513, 8, 0xFFFFFFFF, "E2BIG", {}),
        ),
        _created(
            "MAP-05",
            "A hash map of 2^32 - 1 elements needs more buckets than there can be: 4.1 gives ENOMEM, later "
            "kernels E2BIG",
            MapType.HASH,
            *(4, 8, 0xFFFFFFFF, "ENOMEM", {"5.10": "E2BIG"}),
        ),
        _created(
            "MAP-06",
            "A hash map's value may have any size in 4.1, where each element is allocated when it is stored; "
            "later kernels give E2BIG for 2^32 - 1 bytes",
            MapType.HASH,
            *(4, 0xFFFFFFFF, 1, WORKS, {"5.10": "E2BIG"}),
        ),
        *(
            _created(
                f"MAP-06.{less}-less",
                f"A hash map's value of 4 MiB less {less} bytes {taken}, where an element has a header of 48 bytes; "
                "4.1 has no such limit",
                MapType.HASH,
                *(4, (4 << 20) - less, 1, WORKS, {"5.10": in_5_10, "6.1": since}),
            )
            for less, taken, in_5_10, since in (
                (512 + 49, "is the largest of 5.10", WORKS, WORKS),
                (512 + 48, "is too large for 5.10 by one byte (E2BIG)", "E2BIG", WORKS),
                (4 + 49, "is the largest since 6.1", "E2BIG", WORKS),
                (4 + 48, "is too large since 6.1 by one byte (E2BIG)", "E2BIG", "E2BIG"),
            )
        ),
        *(
            _created(id, f"An array {what} gives EINVAL", MapType.ARRAY, *sizes, "EINVAL")
            for id, what, sizes in (
                ("MAP-08.short-key", "with a key of 2 bytes, not 4,", (2, 8, 1)),
                ("MAP-08.long-key", "with a key of 8 bytes, not 4,", (8, 8, 1)),
                ("MAP-08.no-key", "with a key of size 0, not 4,", (0, 8, 1)),
                ("MAP-08.value", "with a value of size 0", (4, 0, 1)),
                ("MAP-08.entries", "of 0 elements", (4, 8, 0)),
            )
        ),
        _created(
            "MAP-09",
            "An array whose value has 2^32 - 1 bytes gives ENOMEM in 4.1, where rounding its size up "
            "overflows, and E2BIG in later kernels, which limit it",
            MapType.ARRAY,
            *(4, 0xFFFFFFFF, 1, "ENOMEM", {"5.10": "E2BIG"}),
        ),
        _created(
            "MAP-10",
            "An array whose elements take 2^32 bytes or more together gives ENOMEM in 4.1",
            MapType.ARRAY,
            *(4, 8, 0xFFFFFFFF // 8, "ENOMEM"),
            until="4.1",
        ),
        clause(
            "MAP-11",
            "A new array has all its elements, and they are zero",
            ARRAY,
            *(expect(LookupElement(MAP, u32(index), 8), bytes(8)) for index in range(4)),
        ),
        clause(
            "MAP-11.odd-size",
            "Elements of an array do not touch each other where their size is no multiple of eight bytes",
            array("map", entries=2, value_size=5),
            expect(UpdateElement(MAP, u32(0), b"\xff" * 5), 0),
            expect(LookupElement(MAP, u32(1), 5), bytes(5)),
            expect(UpdateElement(MAP, u32(1), b"abcde"), 0),
            expect(LookupElement(MAP, u32(0), 5), b"\xff" * 5),
            expect(LookupElement(MAP, u32(1), 5), b"abcde"),
        ),
        clause(
            "MAP-13",
            "A hash map takes max_entries keys; one more gives E2BIG, until a key is deleted",
            CreateMap("map", MapType.HASH, 4, 8, 3),
            *(expect(UpdateElement(MAP, u32(key), u64(key)), 0) for key in range(3)),
            expect(UpdateElement(MAP, u32(3), u64(3)), "E2BIG"),
            expect(DeleteElement(MAP, u32(1)), 0),
            expect(UpdateElement(MAP, u32(3), u64(3)), 0),
        ),
        _created("MAP-01.type-0", "BPF_MAP_CREATE with map type 0 gives EINVAL", 0, 4, 8, 1, "EINVAL"),
        _created(
            "MAP-01.unknown-type",
            "BPF_MAP_CREATE with map type 4096, which no kernel has, gives EINVAL",
            4096,
            4,
            8,
            1,
            "EINVAL",
        ),
        _created(
            "MAP-01.type-first",
            "BPF_MAP_CREATE looks at the type of the map before its sizes: it gives EINVAL if all are wrong",
            4096,
            0,
            0,
            0,
            "EINVAL",
        ),
        clause(
            "SYS-20",
            "A hash map with map_flags 1 gives EINVAL in 4.1, which has no map_flags; in later kernels it is "
            "BPF_F_NO_PREALLOC",
            expect(CreateMap("map", MapType.HASH, 4, 8, 1, flags=1), "EINVAL", {"5.10": WORKS}),
        ),
        clause(
            "SYS-12",
            "BPF_MAP_CREATE returns a descriptor of a map of its own each time",
            expect(array("map"), WORKS),
            expect(array("other"), WORKS),
            UpdateElement(MAP, u32(0), u64(1)),
            expect(LookupElement(Ref("other"), u32(0), 8), u64(0)),
        ),
    )


def _created(
    id: str,
    sentence: str,
    type: MapType | int,
    key_size: int,
    value_size: int,
    max_entries: int,
    said: Said,
    later: Mapping[str, Said] = NO_ROWS,
    **era: str,
) -> Clause:
    wanted = CreateMap("map", type, key_size, value_size, max_entries)
    return clause(id, sentence, expect(wanted, said, later), **era)
