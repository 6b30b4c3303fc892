# SPDX-License-Identifier: MIT
"""A kernel's types as debug information, read again by pyelftools and by gdb."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from elftools.elf.elffile import ELFFile

from harness.abi.btf import Kind, Writer
from harness.debug import types as module
from harness.debug.dwarf import _sleb, dwarf
from harness.debug.types import type_file
from harness.objects.btf.reader import Btf
from hil import directories
from hil.gdb import elf
from tests.fakes import fake_kernel

PACKED = [0, 1, -1, 63, 64, -64, -65, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63)]


def made() -> Btf:
    """Types of every kind, with references forwards: 1 struct node, whose first member is of type 2."""
    writer = Writer()
    name = writer.string
    node = writer.add(
        *(Kind.STRUCT, "node", 48, 6),
        [
            *(name("next"), 2, 0),
            *(name("flag"), 3, 3 << 24 | 64),
            *(0, 5, 128),
            *(name("text"), 6, 192),
            *(name("call"), 8, 256),
            *(name("kind"), 13, 320),
        ],
        flag=True,
    )
    assert writer.add(Kind.PTR, word=node) == 2
    assert writer.integer("unsigned int", 4, signed=False) == 3
    assert writer.integer("char", 1, signed=True) == 4
    assert writer.add(Kind.UNION, word=8, count=2, rest=[name("whole"), 7, 0, name("low"), 3, 0]) == 5
    assert writer.add(Kind.ARRAY, rest=[4, 3, 8]) == 6
    assert writer.add(Kind.TYPEDEF, "u64", 14) == 7
    assert writer.add(Kind.PTR, word=9) == 8
    assert writer.add(Kind.FUNC_PROTO, word=3, count=3, rest=[name("n"), 10, 0, 12, 0, 0]) == 9
    assert writer.add(Kind.CONST, word=2) == 10
    assert writer.add(Kind.FWD, "hidden") == 11
    assert writer.add(Kind.PTR, word=15) == 12
    assert writer.add(Kind.ENUM64, "kind", 8, 2, [name("LEAST"), 1, 0, name("MOST"), 0, 1 << 31]) == 13
    assert writer.integer("unsigned long", 8, signed=False) == 14
    assert writer.add(Kind.TYPE_TAG, "rcu", 11) == 15
    assert writer.add(Kind.FUNC, "schedule", 9) == 16
    assert writer.add(Kind.PTR) == 17
    assert writer.add(Kind.FLOAT, "double", 8) == 18
    return Btf(writer.blob())


def written(types: Btf) -> bytes:
    return elf.write("EM_X86_64", (), (), dwarf(types).by_name())


def test_every_kind_of_type_is_read_again() -> None:
    unit = next(ELFFile(BytesIO(written(made()))).get_dwarf_info().iter_CUs())
    named = [die for die in unit.iter_DIEs() if "DW_AT_name" in die.attributes]
    found = {die.attributes["DW_AT_name"].value.decode(): die for die in named}
    assert found["node"].attributes["DW_AT_byte_size"].value == 48
    assert [child.attributes["DW_AT_name"].value for child in found["kind"].iter_children()] == [b"LEAST", b"MOST"]
    assert found["MOST"].attributes["DW_AT_const_value"].value == 1 << 63
    hidden = found["hidden"].attributes
    assert "DW_AT_declaration" in hidden and "schedule" not in found
    flag = found["flag"].attributes
    assert (flag["DW_AT_bit_size"].value, flag["DW_AT_data_bit_offset"].value) == (3, 64)


@pytest.mark.parametrize("value", PACKED)
def test_signed_numbers_are_written_in_groups_of_seven_bits(value: int) -> None:
    written = _sleb(value)
    read = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(written))
    assert read - (written[-1] >> 6 << 7 * len(written)) == value
    assert all(byte & 0x80 for byte in written[:-1]) and not written[-1] & 0x80


@pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="gdb-multiarch reads it")
def test_gdb_shows_structures_by_name(tmp_path: Path) -> None:
    (tmp_path / "types.elf").write_bytes(written(made()))
    commands = [f"add-symbol-file {tmp_path}/types.elf", "ptype struct node", "print sizeof(struct node)", "ptype u64"]
    words = [word for command in ("set confirm off", "set language c", *commands) for word in ("-ex", command)]
    done = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", *words], capture_output=True, text=True, check=True)
    assert (
        done.stdout.partition('types.elf"\n')[2]
        == """\
type = struct node {
    struct node *next;
    unsigned int flag : 3;
    union {
        u64 whole;
        unsigned int low;
    };
    char text[8];
    unsigned int (*call)(struct node * const, struct hidden *, ...);
    enum kind kind;
}
$1 = 48
type = unsigned long
"""
    )


def test_it_is_written_once_for_an_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(directories, "cache", lambda: tmp_path)
    reads: list[object] = []

    def of(kernel: object, _: int) -> SimpleNamespace:
        reads.append(kernel)
        return SimpleNamespace(types=made())

    monkeypatch.setattr(module, "KernelFacts", SimpleNamespace(of=of))
    kernel = fake_kernel(provenance={"sha256": {"image": "ab" * 32}})
    first = type_file(kernel)
    assert first is not None and first.read_bytes() == elf.write("EM_AARCH64", (), (), dwarf(made()).by_name())
    assert type_file(kernel) == first and len(reads) == 1
    assert type_file(dataclasses.replace(kernel, provenance={"sha256": {"image": "cd" * 32}})) != first


def test_a_kernel_without_types_has_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(directories, "cache", lambda: tmp_path)
    monkeypatch.setattr(module, "KernelFacts", SimpleNamespace(of=lambda *_: SimpleNamespace(types=None)))
    assert type_file(fake_kernel(provenance={"sha256": {"image": "ab" * 32}})) is None
