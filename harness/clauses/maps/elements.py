# SPDX-License-Identifier: MIT
"""Elements of hash tables and arrays, and the descriptors of maps."""

from __future__ import annotations

from harness.clauses.maps.parts import ARRAY, clause
from harness.clauses.parts import MAP, accepted
from harness.core_scripts.parts import array, u32, u64
from harness.script.clause import Clause, expect
from harness.script.expectation import Expectation
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
    ReadElements,
    Ref,
    UpdateElement,
    UpdateFlag,
)
from harness.script.outcome import OneOf

ANY, NOEXIST, EXIST = UpdateFlag.ANY, UpdateFlag.NOEXIST, UpdateFlag.EXIST
TABLE = CreateMap("map", MapType.HASH, 4, 8, 2)
ONE, TWO, THREE = (u32(number) for number in (1, 2, 3))


def hash_clauses() -> tuple[Clause, ...]:
    full = (TABLE, UpdateElement(MAP, ONE, u64(1)), UpdateElement(MAP, TWO, u64(2)))
    return (
        *(
            clause(
                f"MAP-30.{flags:#x}",
                f"BPF_MAP_UPDATE_ELEM on a hash map with flags {flags:#x} gives EINVAL, and inserts nothing",
                TABLE,
                expect(UpdateElement(MAP, ONE, u64(1), flags), "EINVAL"),
                expect(LookupElement(MAP, ONE, 8), "ENOENT"),
            )
            for flags in (3, 8, 1 << 32, (1 << 64) - 1)
        ),
        clause(
            "MAP-31",
            "BPF_MAP_UPDATE_ELEM with BPF_ANY inserts a key that is absent",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(10)), 0),
            expect(LookupElement(MAP, ONE, 8), u64(10)),
        ),
        clause(
            "MAP-32",
            "BPF_MAP_UPDATE_ELEM with BPF_ANY replaces the value of a key that is present, also in a full map",
            *full,
            expect(UpdateElement(MAP, ONE, u64(11)), 0),
            expect(LookupElement(MAP, ONE, 8), u64(11)),
            expect(LookupElement(MAP, TWO, 8), u64(2)),
        ),
        clause(
            "MAP-33.any",
            "BPF_MAP_UPDATE_ELEM of an absent key gives E2BIG if the hash map is full",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3)), "E2BIG"),
        ),
        clause(
            "MAP-33.noexist",
            "BPF_MAP_UPDATE_ELEM of an absent key with BPF_NOEXIST gives E2BIG if the hash map is full",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3), NOEXIST), "E2BIG"),
        ),
        clause(
            "MAP-34",
            "BPF_MAP_UPDATE_ELEM of an absent key with BPF_EXIST in a full hash map gives E2BIG in 4.1, "
            "which looks for room first, and ENOENT in later kernels",
            *full,
            expect(UpdateElement(MAP, THREE, u64(3), EXIST), "E2BIG", {"5.10": "ENOENT"}),
        ),
        clause(
            "MAP-35",
            "BPF_MAP_UPDATE_ELEM with BPF_NOEXIST gives EEXIST if the key is present, and the value stays",
            *full,
            expect(UpdateElement(MAP, ONE, u64(9), NOEXIST), "EEXIST"),
            expect(LookupElement(MAP, ONE, 8), u64(1)),
        ),
        clause(
            "MAP-36",
            "BPF_MAP_UPDATE_ELEM with BPF_EXIST gives ENOENT if the key is absent, and inserts nothing",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(1), EXIST), "ENOENT"),
            expect(LookupElement(MAP, ONE, 8), "ENOENT"),
        ),
        clause(
            "MAP-36.present",
            "BPF_MAP_UPDATE_ELEM with BPF_EXIST replaces the value of a key that is present",
            *full,
            expect(UpdateElement(MAP, ONE, u64(9), EXIST), 0),
            expect(LookupElement(MAP, ONE, 8), u64(9)),
        ),
        clause(
            "MAP-35.absent",
            "BPF_MAP_UPDATE_ELEM with BPF_NOEXIST inserts a key that is absent",
            TABLE,
            expect(UpdateElement(MAP, ONE, u64(9), NOEXIST), 0),
            expect(LookupElement(MAP, ONE, 8), u64(9)),
        ),
        clause(
            "MAP-37",
            "BPF_MAP_DELETE_ELEM takes a key out of a hash map; the second time it gives ENOENT",
            *full,
            expect(DeleteElement(MAP, ONE), 0),
            expect(LookupElement(MAP, ONE, 8), "ENOENT"),
            expect(DeleteElement(MAP, ONE), "ENOENT"),
            expect(LookupElement(MAP, TWO, 8), u64(2)),
        ),
        clause(
            "MAP-43.empty",
            "BPF_MAP_GET_NEXT_KEY on an empty hash map gives ENOENT",
            TABLE,
            expect(GetNextKey(MAP, None, 4), "ENOENT"),
        ),
        clause(
            "MAP-43.null",
            "BPF_MAP_GET_NEXT_KEY without a key returns the first key of a hash map",
            TABLE,
            UpdateElement(MAP, ONE, u64(1)),
            expect(GetNextKey(MAP, None, 4), ONE),
        ),
        clause(
            "MAP-43.absent",
            "BPF_MAP_GET_NEXT_KEY after a key that is absent returns the first key of a hash map, whichever that is",
            *full,
            expect(GetNextKey(MAP, THREE, 4), OneOf((ONE, TWO))),
        ),
        clause(
            "MAP-43.all",
            "BPF_MAP_GET_NEXT_KEY from the first key on leads to every key of a hash map",
            *full,
            expect(ReadElements(MAP, 4, 8), Expectation(value=2, data=ONE + u64(1) + TWO + u64(2))),
        ),
        clause(
            "MAP-44",
            "BPF_MAP_GET_NEXT_KEY after the last key of a hash map gives ENOENT",
            TABLE,
            UpdateElement(MAP, ONE, u64(1)),
            expect(GetNextKey(MAP, ONE, 4), "ENOENT"),
        ),
        clause(
            "MAP-46",
            "BPF_MAP_GET_NEXT_KEY after a key that was deleted begins again with the first of the rest",
            *full,
            GetNextKey(MAP, None, 4),
            DeleteElement(MAP, ONE),
            expect(GetNextKey(MAP, ONE, 4), TWO),
        ),
        clause(
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


def array_clauses() -> tuple[Clause, ...]:
    return (
        clause(
            "MAP-38.flags",
            "BPF_MAP_UPDATE_ELEM on an array looks at the flags before the index: it gives EINVAL if both are wrong",
            ARRAY,
            expect(UpdateElement(MAP, u32(4), u64(1), 3), "EINVAL"),
        ),
        clause(
            "MAP-38.index",
            "BPF_MAP_UPDATE_ELEM on an array looks at the index before BPF_NOEXIST: behind the end it gives E2BIG",
            ARRAY,
            expect(UpdateElement(MAP, u32(4), u64(1), NOEXIST), "E2BIG"),
        ),
        clause(
            "MAP-38.noexist",
            "BPF_MAP_UPDATE_ELEM on an array with BPF_NOEXIST gives EEXIST, because every element is there",
            ARRAY,
            expect(UpdateElement(MAP, u32(3), u64(1), NOEXIST), "EEXIST"),
            expect(LookupElement(MAP, u32(3), 8), u64(0)),
        ),
        *(
            clause(
                f"MAP-38.{flag.name.lower()}",
                f"BPF_MAP_UPDATE_ELEM on an array with BPF_{flag.name} stores the value",
                ARRAY,
                expect(UpdateElement(MAP, u32(3), u64(7), flag), 0),
                expect(LookupElement(MAP, u32(3), 8), u64(7)),
            )
            for flag in (ANY, EXIST)
        ),
        *(
            clause(
                f"MAP-39.{index:#x}",
                f"BPF_MAP_LOOKUP_ELEM of index {index:#x} behind the end of an array gives ENOENT",
                ARRAY,
                expect(LookupElement(MAP, u32(index), 8), "ENOENT"),
            )
            for index in (4, 0xFFFFFFFF)
        ),
        *(
            clause(
                f"MAP-40.{index}",
                f"BPF_MAP_DELETE_ELEM of an array's {what} gives EINVAL",
                ARRAY,
                expect(DeleteElement(MAP, u32(index)), "EINVAL"),
            )
            for index, what in ((0, "element"), (4, "index behind the end"))
        ),
        clause(
            "MAP-41.null",
            "BPF_MAP_GET_NEXT_KEY without a key returns index 0 of an array",
            ARRAY,
            expect(GetNextKey(MAP, None, 4), u32(0)),
        ),
        clause(
            "MAP-41.beyond",
            "BPF_MAP_GET_NEXT_KEY after an index behind the end of an array returns index 0",
            ARRAY,
            expect(GetNextKey(MAP, u32(4), 4), u32(0)),
        ),
        clause(
            "MAP-41.inside",
            "BPF_MAP_GET_NEXT_KEY after an index of an array returns the next index",
            ARRAY,
            expect(GetNextKey(MAP, u32(2), 4), u32(3)),
        ),
        clause(
            "MAP-42",
            "BPF_MAP_GET_NEXT_KEY after the last index of an array gives ENOENT",
            ARRAY,
            expect(GetNextKey(MAP, u32(3), 4), "ENOENT"),
        ),
    )


def descriptors_clauses() -> tuple[Clause, ...]:
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
        clause(
            f"{id}.{what}",
            f"BPF_MAP_{command} on a descriptor that is {what.replace('-', ' ')} gives {errno}",
            *made,
            expect(call(descriptor), errno),
        )
        for id, command, call in calls
        for what, made, descriptor, errno in things
    )
