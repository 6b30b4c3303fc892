"""Maps through bpf(2): creation, element commands, their errors; kernel/bpf/hashtab.c, arraymap.c, syscall.c."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, accepted
from harness.core_scripts.parts import array, u32, u64
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    GetNextKey,
    LookupElement,
    MapType,
    OpenFile,
    Operation,
    ProgramType,
    Ref,
    UpdateElement,
    UpdateFlag,
)
from harness.script.outcome import OneOf

NO_ROWS: Mapping[str, Said] = MappingProxyType({})
ANY, NOEXIST, EXIST = UpdateFlag.ANY, UpdateFlag.NOEXIST, UpdateFlag.EXIST
TABLE = CreateMap("map", MapType.HASH, 4, 8, 2)
ARRAY = array("map", entries=4)
ONE, TWO, THREE = (u32(number) for number in (1, 2, 3))


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_creation(), _hash(), _array(), _descriptors()))


def _clause(id: str, sentence: str, *steps: Operation | Step, **era: str) -> Clause:
    return Clause(id, sentence, steps, NOTHING, **era)


def _creation() -> tuple[Clause, ...]:
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
        _clause(
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
        _clause(
            "MAP-11",
            "A new array has all its elements, and they are zero",
            ARRAY,
            *(expect(LookupElement(MAP, u32(index), 8), bytes(8)) for index in range(4)),
        ),
        _clause(
            "MAP-11.odd-size",
            "Elements of an array do not touch each other where their size is no multiple of eight bytes",
            array("map", entries=2, value_size=5),
            expect(UpdateElement(MAP, u32(0), b"\xff" * 5), 0),
            expect(LookupElement(MAP, u32(1), 5), bytes(5)),
            expect(UpdateElement(MAP, u32(1), b"abcde"), 0),
            expect(LookupElement(MAP, u32(0), 5), b"\xff" * 5),
            expect(LookupElement(MAP, u32(1), 5), b"abcde"),
        ),
        _clause(
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
        _clause(
            "SYS-20",
            "A hash map with map_flags 1 gives EINVAL in 4.1, which has no map_flags; in later kernels it is "
            "BPF_F_NO_PREALLOC",
            expect(CreateMap("map", MapType.HASH, 4, 8, 1, flags=1), "EINVAL", {"5.10": WORKS}),
        ),
        _clause(
            "SYS-12",
            "BPF_MAP_CREATE returns a descriptor of a map of its own each time",
            expect(array("map"), WORKS),
            expect(array("other"), WORKS),
            UpdateElement(MAP, u32(0), u64(1)),
            expect(LookupElement(Ref("other"), u32(0), 8), u64(0)),
        ),
    )


def _hash() -> tuple[Clause, ...]:
    full = (TABLE, UpdateElement(MAP, ONE, u64(1)), UpdateElement(MAP, TWO, u64(2)))
    return (
        *(
            _clause(
                f"MAP-30.{flags:#x}",
                f"BPF_MAP_UPDATE_ELEM on a hash map with flags {flags:#x} gives EINVAL, and inserts nothing",
                TABLE,
                expect(UpdateElement(MAP, ONE, u64(1), flags), "EINVAL"),
                expect(LookupElement(MAP, ONE, 8), "ENOENT"),
            )
            for flags in (3, 8, 1 << 32, (1 << 64) - 1)
        ),
        _clause(
            "MAP-31",
            "BPF_MAP_UPDATE_ELEM with BPF_ANY inserts a key that is absent",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(10)), 0),
            expect(LookupElement(MAP, ONE, 8), u64(10)),
        ),
        _clause(
            "MAP-32",
            "BPF_MAP_UPDATE_ELEM with BPF_ANY replaces the value of a key that is present, also in a full map",
            *full,
            expect(UpdateElement(MAP, ONE, u64(11)), 0),
            expect(LookupElement(MAP, ONE, 8), u64(11)),
            expect(LookupElement(MAP, TWO, 8), u64(2)),
        ),
        _clause(
            "MAP-33.any",
            "BPF_MAP_UPDATE_ELEM of an absent key gives E2BIG if the hash map is full",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3)), "E2BIG"),
        ),
        _clause(
            "MAP-33.noexist",
            "BPF_MAP_UPDATE_ELEM of an absent key with BPF_NOEXIST gives E2BIG if the hash map is full",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3), NOEXIST), "E2BIG"),
        ),
        _clause(
            "MAP-34",
            "BPF_MAP_UPDATE_ELEM of an absent key with BPF_EXIST in a full hash map gives E2BIG in 4.1, "
            "which looks for room first, and ENOENT in later kernels",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3), EXIST), "E2BIG", {"5.10": "ENOENT"}),
        ),
        _clause(
            "MAP-35",
            "BPF_MAP_UPDATE_ELEM with BPF_NOEXIST gives EEXIST if the key is present, and the value stays",
            *full,
            expect(UpdateElement(MAP, ONE, u64(9), NOEXIST), "EEXIST"),
            expect(LookupElement(MAP, ONE, 8), u64(1)),
        ),
        _clause(
            "MAP-36",
            "BPF_MAP_UPDATE_ELEM with BPF_EXIST gives ENOENT if the key is absent, and inserts nothing",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(1), EXIST), "ENOENT"),
            expect(LookupElement(MAP, ONE, 8), "ENOENT"),
        ),
        _clause(
            "MAP-36.present",
            "BPF_MAP_UPDATE_ELEM with BPF_EXIST replaces the value of a key that is present",
            *full,
            expect(UpdateElement(MAP, ONE, u64(9), EXIST), 0),
            expect(LookupElement(MAP, ONE, 8), u64(9)),
        ),
        _clause(
            "MAP-35.absent",
            "BPF_MAP_UPDATE_ELEM with BPF_NOEXIST inserts a key that is absent",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(9), NOEXIST), 0),
            expect(LookupElement(MAP, ONE, 8), u64(9)),
        ),
        _clause(
            "MAP-37",
            "BPF_MAP_DELETE_ELEM takes a key out of a hash map; the second time it gives ENOENT",
            *full,
            expect(DeleteElement(MAP, ONE), 0),
            expect(LookupElement(MAP, ONE, 8), "ENOENT"),
            expect(DeleteElement(MAP, ONE), "ENOENT"),
            expect(LookupElement(MAP, TWO, 8), u64(2)),
        ),
        _clause(
            "MAP-43.empty",
            "BPF_MAP_GET_NEXT_KEY on an empty hash map gives ENOENT",
            TABLE,
            expect(GetNextKey(MAP, None, 4), "ENOENT"),
        ),
        _clause(
            "MAP-43.null",
            "BPF_MAP_GET_NEXT_KEY without a key returns the first key of a hash map",
            TABLE,
            UpdateElement(MAP, ONE, u64(1)),
            expect(GetNextKey(MAP, None, 4), ONE),
        ),
        _clause(
            "MAP-43.absent",
            "BPF_MAP_GET_NEXT_KEY after a key that is absent returns the first key of a hash map, whichever that is",
            *full,
            expect(GetNextKey(MAP, THREE, 4), OneOf((ONE, TWO))),
        ),
        _clause(
            "MAP-44",
            "BPF_MAP_GET_NEXT_KEY after the last key of a hash map gives ENOENT",
            TABLE,
            UpdateElement(MAP, ONE, u64(1)),
            expect(GetNextKey(MAP, ONE, 4), "ENOENT"),
        ),
        _clause(
            "MAP-46",
            "BPF_MAP_GET_NEXT_KEY after a key that was deleted begins again with the first of the rest",
            *full,
            GetNextKey(MAP, None, 4),
            DeleteElement(MAP, ONE),
            expect(GetNextKey(MAP, ONE, 4), TWO),
        ),
        _clause(
            "MAP-47",
            "Keys of a hash map differ if any of their bytes does, padding of a structure included",
            CreateMap("map", MapType.HASH, 16, 8, 4),
            expect(UpdateElement(MAP, bytes(16), u64(1)), 0),
            expect(UpdateElement(MAP, bytes(15) + b"\1", u64(2)), 0),
            expect(LookupElement(MAP, bytes(16), 8), u64(1)),
            expect(LookupElement(MAP, bytes(15) + b"\1", 8), u64(2)),
            expect(LookupElement(MAP, b"\1" + bytes(15), 8), "ENOENT"),
        ),
    )


def _array() -> tuple[Clause, ...]:
    return (
        _clause(
            "MAP-38.flags",
            "BPF_MAP_UPDATE_ELEM on an array looks at the flags before the index: it gives EINVAL if both are wrong",
            ARRAY,
            expect(UpdateElement(MAP, u32(4), u64(1), 3), "EINVAL"),
        ),
        _clause(
            "MAP-38.index",
            "BPF_MAP_UPDATE_ELEM on an array looks at the index before BPF_NOEXIST: behind the end it gives E2BIG",
            ARRAY,
            expect(UpdateElement(MAP, u32(4), u64(1), NOEXIST), "E2BIG"),
        ),
        _clause(
            "MAP-38.noexist",
            "BPF_MAP_UPDATE_ELEM on an array with BPF_NOEXIST gives EEXIST, because every element is there",
            ARRAY,
            expect(UpdateElement(MAP, u32(3), u64(1), NOEXIST), "EEXIST"),
            expect(LookupElement(MAP, u32(3), 8), u64(0)),
        ),
        *(
            _clause(
                f"MAP-38.{flag.name.lower()}",
                f"BPF_MAP_UPDATE_ELEM on an array with BPF_{flag.name} stores the value",
                ARRAY,
                expect(UpdateElement(MAP, u32(3), u64(7), flag), 0),
                expect(LookupElement(MAP, u32(3), 8), u64(7)),
            )
            for flag in (ANY, EXIST)
        ),
        *(
            _clause(
                f"MAP-39.{index:#x}",
                f"BPF_MAP_LOOKUP_ELEM of index {index:#x} behind the end of an array gives ENOENT",
                ARRAY,
                expect(LookupElement(MAP, u32(index), 8), "ENOENT"),
            )
            for index in (4, 0xFFFFFFFF)
        ),
        *(
            _clause(
                f"MAP-40.{index}",
                f"BPF_MAP_DELETE_ELEM of an array's {what} gives EINVAL",
                ARRAY,
                expect(DeleteElement(MAP, u32(index)), "EINVAL"),
            )
            for index, what in ((0, "element"), (4, "index behind the end"))
        ),
        _clause(
            "MAP-41.null",
            "BPF_MAP_GET_NEXT_KEY without a key returns index 0 of an array",
            ARRAY,
            expect(GetNextKey(MAP, None, 4), u32(0)),
        ),
        _clause(
            "MAP-41.beyond",
            "BPF_MAP_GET_NEXT_KEY after an index behind the end of an array returns index 0",
            ARRAY,
            expect(GetNextKey(MAP, u32(4), 4), u32(0)),
        ),
        _clause(
            "MAP-41.inside",
            "BPF_MAP_GET_NEXT_KEY after an index of an array returns the next index",
            ARRAY,
            expect(GetNextKey(MAP, u32(2), 4), u32(3)),
        ),
        _clause(
            "MAP-42",
            "BPF_MAP_GET_NEXT_KEY after the last index of an array gives ENOENT",
            ARRAY,
            expect(GetNextKey(MAP, u32(3), 4), "ENOENT"),
        ),
    )


def _descriptors() -> tuple[Clause, ...]:
    program = accepted("other", ProgramType.SOCKET_FILTER)
    things: tuple[tuple[str, tuple[Operation, ...], Ref | int, str], ...] = (
        ("not-open", (), -1, "EBADF"),
        ("closed", (array("other"), Close(Ref("other"))), Ref("other"), "EBADF"),
        ("a-program", (program,), Ref("other"), "EINVAL"),
        ("a-file", (OpenFile("other"),), Ref("other"), "EINVAL"),
    )
    calls = (
        ("MAP-20", "LOOKUP_ELEM", lambda map: LookupElement(map, u32(0), 8)),
        ("MAP-21", "UPDATE_ELEM", lambda map: UpdateElement(map, u32(0), u64(0))),
        ("MAP-22", "DELETE_ELEM", lambda map: DeleteElement(map, u32(0))),
        ("MAP-23", "GET_NEXT_KEY", lambda map: GetNextKey(map, None, 4)),
    )
    return tuple(
        _clause(
            f"{id}.{what}",
            f"BPF_MAP_{command} on a descriptor that is {what.replace('-', ' ')} gives {errno}",
            *made,
            expect(call(descriptor), errno),
        )
        for id, command, call in calls
        for what, made, descriptor, errno in things
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
    return _clause(id, sentence, expect(wanted, said, later), **era)
