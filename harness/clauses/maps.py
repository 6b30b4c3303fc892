"""Maps through bpf(2): creation, element commands, their errors; kernel/bpf/hashtab.c, arraymap.c, syscall.c."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, accepted
from harness.essentials.parts import array, u32, u64
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    LookupElement,
    MapType,
    NextKey,
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
            _created(id, "a hash map needs a size of key, of value, and room", MapType.HASH, *sizes, "EINVAL")
            for id, sizes in (
                ("MAP-02.key", (0, 8, 1)),
                ("MAP-02.value", (4, 0, 1)),
                ("MAP-02.entries", (4, 8, 0)),
                ("MAP-02.before-MAP-03", (513, 0, 1)),
            )
        ),
        _created(
            "MAP-03",
            "a hash map's key has at most 512 bytes; since 6.1 only memory limits it",
            MapType.HASH,
            *(513, 8, 1, "E2BIG", {"6.1": WORKS}),
        ),
        _clause("MAP-03.limit", "a key of 512 bytes is fine", expect(CreateMap("map", MapType.HASH, 512, 8, 1), WORKS)),
        _created(
            "MAP-04",
            "the key is looked at first",
            MapType.HASH,
            *(513, 8, 0xFFFFFFFF, "E2BIG", {}),
        ),
        _created(
            "MAP-05",
            "too many entries for the hash table's buckets",
            MapType.HASH,
            *(4, 8, 0xFFFFFFFF, "ENOMEM", {"5.10": "E2BIG"}),
        ),
        _created(
            "MAP-06",
            "a hash map's value may have any size in 4.1, where elements are allocated one by one",
            MapType.HASH,
            *(4, 0xFFFFFFFF, 1, WORKS, {"5.10": "E2BIG"}),
        ),
        *(
            _created(
                f"MAP-06.{less}-less",
                "later an element with its header of 48 bytes is smaller than 4 MiB, in 5.10 by 512 more",
                MapType.HASH,
                *(4, (4 << 20) - less, 1, WORKS, {"5.10": in_5_10, "6.1": since}),
            )
            for less, in_5_10, since in (
                (512 + 49, WORKS, WORKS),
                (512 + 48, "E2BIG", WORKS),
                (4 + 49, "E2BIG", WORKS),
                (4 + 48, "E2BIG", "E2BIG"),
            )
        ),
        *(
            _created(id, "an array's key is a number of 32 bits, and it has elements", MapType.ARRAY, *sizes, "EINVAL")
            for id, sizes in (
                ("MAP-08.short-key", (2, 8, 1)),
                ("MAP-08.long-key", (8, 8, 1)),
                ("MAP-08.no-key", (0, 8, 1)),
                ("MAP-08.value", (4, 0, 1)),
                ("MAP-08.entries", (4, 8, 0)),
            )
        ),
        _created(
            "MAP-09",
            "an array's value may not be so large that rounding it up overflows; later limits are lower",
            MapType.ARRAY,
            *(4, 0xFFFFFFFF, 1, "ENOMEM", {"5.10": "E2BIG"}),
        ),
        _created(
            "MAP-10",
            "an array in 4.1 has fewer than 2^32 bytes",
            MapType.ARRAY,
            *(4, 8, 0xFFFFFFFF // 8, "ENOMEM"),
            until="4.1",
        ),
        _clause(
            "MAP-11",
            "an array's elements are all there, and zero",
            ARRAY,
            *(expect(LookupElement(MAP, u32(index), 8), bytes(8)) for index in range(4)),
        ),
        _clause(
            "MAP-11.odd-size",
            "values that are no multiple of eight bytes do not touch each other",
            array("map", entries=2, value_size=5),
            expect(UpdateElement(MAP, u32(0), b"\xff" * 5), 0),
            expect(LookupElement(MAP, u32(1), 5), bytes(5)),
            expect(UpdateElement(MAP, u32(1), b"abcde"), 0),
            expect(LookupElement(MAP, u32(0), 5), b"\xff" * 5),
            expect(LookupElement(MAP, u32(1), 5), b"abcde"),
        ),
        _clause(
            "MAP-13",
            "a hash map takes max_entries keys, not one more",
            CreateMap("map", MapType.HASH, 4, 8, 3),
            *(expect(UpdateElement(MAP, u32(key), u64(key)), 0) for key in range(3)),
            expect(UpdateElement(MAP, u32(3), u64(3)), "E2BIG"),
            expect(DeleteElement(MAP, u32(1)), 0),
            expect(UpdateElement(MAP, u32(3), u64(3)), 0),
        ),
        _created("MAP-01.type-0", "there is no map type 0", 0, 4, 8, 1, "EINVAL"),
        _created("MAP-01.unknown-type", "nor one of this number", 4096, 4, 8, 1, "EINVAL"),
        _created("MAP-01.type-first", "the type is looked at before the sizes", 4096, 0, 0, 0, "EINVAL"),
        _clause(
            "SYS-20",
            "map_flags do not exist in 4.1: their bytes must be zero",
            expect(CreateMap("map", MapType.HASH, 4, 8, 1, flags=1), "EINVAL", {"5.10": WORKS}),
        ),
        _clause(
            "SYS-12",
            "every map has a descriptor of its own",
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
                "an update with unknown flags fails before anything else of the operation",
                TABLE,
                expect(UpdateElement(MAP, ONE, u64(1), flags), "EINVAL"),
                expect(LookupElement(MAP, ONE, 8), "ENOENT"),
            )
            for flags in (3, 8, 1 << 32, (1 << 64) - 1)
        ),
        _clause(
            "MAP-31",
            "an update without conditions inserts",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(10)), 0),
            expect(LookupElement(MAP, ONE, 8), u64(10)),
        ),
        _clause(
            "MAP-32",
            "an update replaces what is there, also in a full map",
            *full,
            expect(UpdateElement(MAP, ONE, u64(11)), 0),
            expect(LookupElement(MAP, ONE, 8), u64(11)),
            expect(LookupElement(MAP, TWO, 8), u64(2)),
        ),
        _clause(
            "MAP-33.any", "a full map takes no further key", *full, expect(UpdateElement(MAP, THREE, u64(3)), "E2BIG")
        ),
        _clause(
            "MAP-33.noexist",
            "nor under the condition that it is not there",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3), NOEXIST), "E2BIG"),
        ),
        _clause(
            "MAP-34",
            "an absent key that must exist, in a full map: 4.1 looks at the room first, later kernels at the key",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3), EXIST), "E2BIG", {"5.10": "ENOENT"}),
        ),
        _clause(
            "MAP-35",
            "a key that must not exist but does",
            *full,
            expect(UpdateElement(MAP, ONE, u64(9), NOEXIST), "EEXIST"),
            expect(LookupElement(MAP, ONE, 8), u64(1)),
        ),
        _clause(
            "MAP-36",
            "a key that must exist but does not",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(1), EXIST), "ENOENT"),
            expect(LookupElement(MAP, ONE, 8), "ENOENT"),
        ),
        _clause(
            "MAP-36.present",
            "a key that must exist and does",
            *full,
            expect(UpdateElement(MAP, ONE, u64(9), EXIST), 0),
            expect(LookupElement(MAP, ONE, 8), u64(9)),
        ),
        _clause(
            "MAP-35.absent",
            "a key that must not exist and does not",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(9), NOEXIST), 0),
            expect(LookupElement(MAP, ONE, 8), u64(9)),
        ),
        _clause(
            "MAP-37",
            "a key can be deleted once",
            *full,
            expect(DeleteElement(MAP, ONE), 0),
            expect(LookupElement(MAP, ONE, 8), "ENOENT"),
            expect(DeleteElement(MAP, ONE), "ENOENT"),
            expect(LookupElement(MAP, TWO, 8), u64(2)),
        ),
        _clause("MAP-43.empty", "an empty map has no first key", TABLE, expect(NextKey(MAP, None, 4), "ENOENT")),
        _clause(
            "MAP-43.null",
            "no key asks for the first one",
            TABLE,
            UpdateElement(MAP, ONE, u64(1)),
            expect(NextKey(MAP, None, 4), ONE),
        ),
        _clause(
            "MAP-43.absent",
            "a key that is not there asks for the first one, whichever that is",
            *full,
            expect(NextKey(MAP, THREE, 4), OneOf((ONE, TWO))),
        ),
        _clause(
            "MAP-44",
            "behind the last key there is none",
            TABLE,
            UpdateElement(MAP, ONE, u64(1)),
            expect(NextKey(MAP, ONE, 4), "ENOENT"),
        ),
        _clause(
            "MAP-46",
            "a key that was returned and then deleted asks for the first of the rest",
            *full,
            NextKey(MAP, None, 4),
            DeleteElement(MAP, ONE),
            expect(NextKey(MAP, ONE, 4), TWO),
        ),
        _clause(
            "MAP-47",
            "keys differ if any of their bytes does, whatever a structure's padding means to its owner",
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
            "flags are looked at before the index",
            ARRAY,
            expect(UpdateElement(MAP, u32(4), u64(1), 3), "EINVAL"),
        ),
        _clause(
            "MAP-38.index",
            "the index is looked at before the condition",
            ARRAY,
            expect(UpdateElement(MAP, u32(4), u64(1), NOEXIST), "E2BIG"),
        ),
        _clause(
            "MAP-38.noexist",
            "an array's elements all exist",
            ARRAY,
            expect(UpdateElement(MAP, u32(3), u64(1), NOEXIST), "EEXIST"),
            expect(LookupElement(MAP, u32(3), 8), u64(0)),
        ),
        *(
            _clause(
                f"MAP-38.{flag.name.lower()}",
                "an update stores",
                ARRAY,
                expect(UpdateElement(MAP, u32(3), u64(7), flag), 0),
                expect(LookupElement(MAP, u32(3), 8), u64(7)),
            )
            for flag in (ANY, EXIST)
        ),
        *(
            _clause(
                f"MAP-39.{index:#x}",
                "there is nothing behind an array's end",
                ARRAY,
                expect(LookupElement(MAP, u32(index), 8), "ENOENT"),
            )
            for index in (4, 0xFFFFFFFF)
        ),
        *(
            _clause(
                f"MAP-40.{index}",
                "an array's element cannot be deleted",
                ARRAY,
                expect(DeleteElement(MAP, u32(index)), "EINVAL"),
            )
            for index in (0, 4)
        ),
        _clause("MAP-41.null", "no key: the first index", ARRAY, expect(NextKey(MAP, None, 4), u32(0))),
        _clause(
            "MAP-41.beyond", "an index behind the end: the first one", ARRAY, expect(NextKey(MAP, u32(4), 4), u32(0))
        ),
        _clause("MAP-41.inside", "otherwise the next one", ARRAY, expect(NextKey(MAP, u32(2), 4), u32(3))),
        _clause("MAP-42", "behind the last index there is none", ARRAY, expect(NextKey(MAP, u32(3), 4), "ENOENT")),
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
        ("MAP-20", "lookup", lambda map: LookupElement(map, u32(0), 8)),
        ("MAP-21", "update", lambda map: UpdateElement(map, u32(0), u64(0))),
        ("MAP-22", "delete", lambda map: DeleteElement(map, u32(0))),
        ("MAP-23", "next key", lambda map: NextKey(map, None, 4)),
    )
    return tuple(
        _clause(
            f"{id}.{what}",
            f"{command}: the descriptor is {what.replace('-', ' ')}",
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
