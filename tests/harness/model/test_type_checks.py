# SPDX-License-Identifier: MIT
"""Type information that every kernel takes, and nothing else of what is wrong in one place."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

import pytest

from harness.abi.bpf import Command
from harness.abi.btf import Kind, Writer, of_functions
from harness.model.interface.type_checks import surely_taken
from harness.script.operations import Buffer, Part, RawBpf
from tests.harness.model.scripts import last

INT, BYTE, WIDE = 1, 2, 3
Build = Callable[[Writer], object]
HEADER = struct.Struct("<HBBI4I")


def written(*builds: Build) -> bytes:
    """The blob of an int, a byte, a wide integer, and what is built from them."""
    writer = Writer()
    writer.integer("int", 4, signed=True)
    writer.integer("unsigned char", 1, signed=False)
    writer.integer("long unsigned int", 8, signed=False)
    for build in builds:
        build(writer)
    return writer.blob()


def composite(
    *members: tuple[str, int, int], name: str = "shape", size: int = 16, kind: Kind = Kind.STRUCT, flag: bool = False
) -> Build:
    def build(writer: Writer) -> None:
        rest = [word for member, type, at in members for word in (writer.string(member), type, at)]
        writer.add(kind, name, size, len(members), rest, flag=flag)

    return build


def add(
    kind: Kind, name: str = "", word: int = 0, count: int = 0, rest: tuple[int, ...] = (), *, flag: bool = False
) -> Build:
    return lambda writer: writer.add(kind, name, word, count, rest, flag=flag)


def enumeration(name: str, size: int = 4) -> Build:
    return lambda writer: writer.add(Kind.ENUM, "color", size, 1, (writer.string(name), 7))


def function(*parameters: tuple[str, int], returns: int = INT, linkage: int = 0) -> Build:
    def build(writer: Writer) -> None:
        rest = [word for name, type in parameters for word in (writer.string(name), type)]
        writer.add(Kind.FUNC, "f", writer.add(Kind.FUNC_PROTO, "", returns, len(parameters), rest), linkage)

    return build


TAKEN: dict[str, tuple[Build, ...]] = {
    "members in order": (composite(("a", INT, 0), ("b", INT, 32), ("c", WIDE, 64)),),
    "an array without elements at the end": (
        add(Kind.ARRAY, rest=(WIDE, INT, 0)),
        composite(("a", INT, 0), ("z", 4, 128)),
    ),
    "a union": (composite(("a", INT, 0), ("b", WIDE, 0), kind=Kind.UNION),),
    "bit fields": (composite(("a", INT, 3 << 24), ("b", INT, 5 << 24 | 3), ("c", BYTE, 8), size=2, flag=True),),
    "a structure with a pointer to itself": (add(Kind.PTR, word=5), composite(("next", 4, 0))),
    "what pointers lead to": (add(Kind.FWD, "later"), add(Kind.CONST, word=4), add(Kind.PTR, word=5), add(Kind.PTR)),
    "an enumeration": (enumeration("RED"),),
    "a function with any number of arguments": (function(("a", INT), ("", 0)),),
    "a global function": (function(("a", INT), linkage=1),),
    "a tag before other modifiers": (add(Kind.CONST, word=INT), add(Kind.TYPE_TAG, "user", 4), add(Kind.PTR, word=5)),
    "a floating-point number": (add(Kind.FLOAT, "double", 8), composite(("d", 4, 64))),
}
REFUSED: dict[str, tuple[Build, ...]] = {
    "members out of order": (composite(("a", INT, 32), ("b", INT, 0)),),
    "a lock that is not aligned": (
        composite(("val", INT, 0), name="bpf_spin_lock", size=4),
        composite(("a", BYTE, 0), ("lock", 4, 8)),
    ),
    "a member that is outside": (composite(("a", INT, 104)),),
    "a member of no type": (composite(("a", 0, 0)),),
    "a member that is no name": (composite(("a b", INT, 0)),),
    "a member of a type without a size": (add(Kind.FWD, "later"), composite(("a", 4, 0))),
    "a member of a union that is not at its beginning": (composite(("a", INT, 32), kind=Kind.UNION),),
    "a bit field that is wider than its type": (composite(("a", BYTE, 9 << 24), flag=True),),
    "a bit field of a pointer": (add(Kind.PTR), composite(("a", 4, 3 << 24), flag=True)),
    "a small enumeration that the kernel takes for an int": (
        enumeration("RED", 1),
        composite(("e", 4, 0), size=1, flag=True),
    ),
    "a bit field of an enumeration that is wider than an int": (
        lambda writer: writer.add(Kind.ENUM64, "large", 8, 1, (writer.string("RED"), 7, 0)),
        composite(("e", 4, 33 << 24), flag=True),
    ),
    "a floating-point number of no size behind what has it": (composite(("d", 5, 0)), add(Kind.FLOAT, "none")),
    "a misaligned floating-point number": (add(Kind.FLOAT, "double", 8), composite(("d", 4, 32))),
    "a floating-point number of 3 bytes": (add(Kind.FLOAT, "odd", 3),),
    "an array with a size": (add(Kind.ARRAY, word=4, rest=(BYTE, INT, 4)),),
    "an array with a name": (add(Kind.ARRAY, "a", rest=(BYTE, INT, 4)),),
    "an array that no integer counts": (enumeration("RED"), add(Kind.ARRAY, rest=(BYTE, 4, 4))),
    "an array of nothing": (add(Kind.ARRAY, rest=(0, INT, 4)),),
    "an array that is too large": (add(Kind.ARRAY, rest=(WIDE, INT, 1 << 29)),),
    "an integer with an offset": (add(Kind.INT, "odd", 4, rest=(1 << 16 | 24,)),),
    "an integer of two encodings": (add(Kind.INT, "odd", 4, rest=(3 << 24 | 32,)),),
    "an integer with more bits than bytes": (add(Kind.INT, "odd", 4, rest=(64,)),),
    "an integer with unknown bits": (add(Kind.INT, "odd", 4, rest=(1 << 8 | 32,)),),
    "a constant with a name": (add(Kind.CONST, "odd", INT),),
    "a pointer with members": (add(Kind.PTR, word=INT, count=1),),
    "a pointer to a type that is not there": (add(Kind.PTR, word=5),),
    "a pointer to a function that is no prototype": (function(("a", INT)), add(Kind.PTR, word=5)),
    "a definition without a name": (add(Kind.TYPEDEF, "", INT),),
    "a definition of itself": (add(Kind.TYPEDEF, "t", 4),),
    "pointers that lead to themselves": (add(Kind.CONST, word=5), add(Kind.PTR, word=4)),
    "a structure within itself": (composite(("a", 4, 0)),),
    "an array of itself": (add(Kind.ARRAY, rest=(4, INT, 1)),),
    "a declaration of a type": (add(Kind.FWD, "later", INT),),
    "an enumerator without a name": (enumeration(""),),
    "an enumeration of 3 bytes": (enumeration("RED", 3),),
    "a function of another linkage": (function(("a", INT), linkage=3),),
    "a function of what is no prototype": (add(Kind.FUNC, "f", INT),),
    "an argument without a name": (function(("", INT)),),
    "an argument of no type": (function(("a", 0), ("b", INT)),),
    "a function that gives what has no size": (add(Kind.FWD, "later"), function(returns=4)),
    "a tag behind another modifier": (add(Kind.TYPE_TAG, "user", INT), add(Kind.CONST, word=4)),
    "a tag without a name": (add(Kind.TYPE_TAG, "", INT),),
    "modifiers without end": tuple(add(Kind.CONST, word=number) for number in range(WIDE, 40)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_every_kernel_takes(name: str) -> None:
    assert surely_taken(written(*TAKEN[name]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_in_one_place_is_not_on_the_list(name: str) -> None:
    assert not surely_taken(written(*REFUSED[name]))


@pytest.mark.parametrize(
    ("field", "value"),
    [(0, 0x9FEB), (1, 2), (2, 1), (3, 32), (4, 4), (5, 0), (5, 44), (6, 1), (7, 0), (7, 3), (7, 1 << 24)],
)
def test_the_header_says_what_is_there(field: int, value: int) -> None:
    content = written()
    fields = [*HEADER.unpack_from(content)]
    assert fields[field] != value
    fields[field] = value
    assert not surely_taken(HEADER.pack(*fields) + content[HEADER.size :])


def test_strings_begin_and_end_with_a_zero_and_nothing_is_behind_them() -> None:
    content = written()
    strings = HEADER.size + HEADER.unpack_from(content)[5]
    assert not surely_taken(content[:strings] + b"a" + content[strings + 1 :])
    assert not surely_taken(content[:-1] + b"a")
    assert not surely_taken(content + b"\0")
    assert not surely_taken(b"") and not surely_taken(content[:23])


def test_whatever_it_is_it_is_judged() -> None:
    """No bytes are an error of the model's."""
    random, whole = Random(0), [written(*builds) for builds in TAKEN.values()]
    for _ in range(400):
        content = bytearray(random.choice(whole))
        for _ in range(random.randrange(1, 4)):
            content[random.randrange(len(content))] = random.choice((0, 1, 0x80, 0xFF, random.randrange(256)))
        surely_taken(bytes(content[: random.choice((len(content), random.randrange(len(content))))]))


def load(content: bytes) -> RawBpf:
    parts = (Part(0, 8, Buffer(content)), Part(16, 4, len(content)))
    return RawBpf(Command.BTF_LOAD, parts, name="types")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("5.10", of_functions(["main", "f"])[0], "ok"),
        ("5.10", written(*TAKEN["a floating-point number"]), "?"),
        ("6.1", written(*TAKEN["a floating-point number"]), "ok"),
        ("6.1", written(*REFUSED["members out of order"]), "?"),
        ("5.10", b"\x9f\xeb", "?"),
    ],
)
def test_types_of_the_kinds_that_a_release_knows_are_loaded(name: str, content: bytes, said: str) -> None:
    assert last(load(content), name=name) == said
