# SPDX-License-Identifier: MIT
"""What is written is what the reader reads."""

from __future__ import annotations

from harness.abi.btf import Kind, Linkage, Writer, of_functions
from harness.objects.btf.reader import Btf


def test_functions_are_read_as_they_were_written() -> None:
    blob, numbers = of_functions(["main", "count", "main"])
    types = Btf(blob)
    found = [types.type(number) for number in numbers]
    assert [(one.kind, one.name, one.linkage) for one in found] == [
        (Kind.FUNC, name, Linkage.STATIC) for name in ("main", "count", "main")
    ]
    prototype = types.type(found[0].word)
    result = types.type(prototype.word)
    assert (prototype.kind, prototype.members) == (Kind.FUNC_PROTO, ())
    assert (result.kind, result.name, result.size, result.bits, result.signed) == (Kind.INT, "int", 4, 32, True)


def test_a_string_is_written_once() -> None:
    writer = Writer()
    assert writer.string("") == 0
    assert writer.string("a") == writer.string("a") == 1
    assert writer.string("b") == 3
    number = writer.function("global", writer.integer("u64", 8, signed=False), Linkage.GLOBAL)
    found = Btf(writer.blob()).type(number)
    assert (found.name, found.linkage) == ("global", Linkage.GLOBAL)
