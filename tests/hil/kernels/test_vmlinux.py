# SPDX-License-Identifier: MIT
"""What a vmlinux has, and its copy without relocations, on files made by hand and checked by pyelftools."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from hil.errors import UserError
from hil.kernels import vmlinux

PROGBITS, STRTAB, RELA, NOTE = 1, 3, 4, 7
ALLOC = 2
BUILD_ID = bytes(range(20))
NOTES = struct.pack("<3I", 4, 6, 6) + b"Xen\0linux\0\0\0" + struct.pack("<3I", 4, 20, 3) + b"GNU\0" + BUILD_ID

Row = tuple[str, int, int, bytes]
ROWS: tuple[Row, ...] = (
    (".text", PROGBITS, ALLOC, b"code" * 300),
    (".rela.dyn", RELA, ALLOC, b"for the boot itself!!!!!"),
    (".notes", NOTE, ALLOC, NOTES),
    (".debug_info", PROGBITS, 0, b"types" * 1000),
    (".rela.text", RELA, 0, bytes(24 * 500)),
    (".rela.debug_info", RELA, 0, bytes(24 * 700)),
    (".debug_str", PROGBITS, 0, b"names\0"),
)


def elf(*rows: Row) -> bytes:
    """An executable with these sections: name, type, flags and content."""
    names, body, headers = b"\0", b"", [bytes(64)]
    for name, kind, flags, content in (*rows, (".shstrtab", STRTAB, 0, b"")):
        at, names = len(names), names + name.encode() + b"\0"
        content, entry = content or names, 24 if kind == RELA else 0
        headers.append(struct.pack("<IIQQQQIIQQ", at, kind, flags, 0, 64 + len(body), len(content), 0, 0, 1, entry))
        body += content
    header = struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1
    )
    return b"\x7fELF\2\1\1" + bytes(9) + header + body + b"".join(headers)


def written(path: Path, *rows: Row) -> Path:
    path.write_bytes(elf(*rows))
    return path


def content_of(path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        return {one.name: one.data() for one in ELFFile(file).iter_sections() if one["sh_type"] != "SHT_NULL"}


def test_a_copy_has_everything_but_the_relocations_of_the_linker(tmp_path: Path) -> None:
    source, target = written(tmp_path / "vmlinux", *ROWS), tmp_path / "smaller"
    vmlinux.without_relocations(source, target)
    expected = content_of(source)
    del expected[".rela.text"], expected[".rela.debug_info"]
    assert content_of(target) == expected
    assert target.stat().st_size < source.stat().st_size - 24 * 1100
    with source.open("rb") as old, target.open("rb") as new:
        assert ELFFile(old).num_sections() == ELFFile(new).num_sections(), "symbols name sections by number"


def test_a_file_without_such_relocations_stays_whole(tmp_path: Path) -> None:
    source, target = written(tmp_path / "vmlinux", *ROWS[:4]), tmp_path / "copy"
    vmlinux.without_relocations(source, target)
    assert content_of(target) == content_of(source)


def test_debug_information_is_a_section(tmp_path: Path) -> None:
    assert vmlinux.has_debug_info(written(tmp_path / "with", *ROWS))
    assert not vmlinux.has_debug_info(written(tmp_path / "without", *ROWS[:3]))
    (tmp_path / "text").write_text("no ELF file")
    with pytest.raises(UserError, match="text is no ELF file"):
        vmlinux.has_debug_info(tmp_path / "text")


def test_the_build_id_is_one_of_several_notes(tmp_path: Path) -> None:
    assert vmlinux.build_id(written(tmp_path / "with", *ROWS)) == BUILD_ID.hex()
    assert vmlinux.build_id(written(tmp_path / "without", *ROWS[:2])) == ""
    assert vmlinux.build_id_of(NOTES[:30]) == "", "a file that was cut off"
