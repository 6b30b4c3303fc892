# SPDX-License-Identifier: MIT
"""The ELF writer, checked by pyelftools and gdb."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hil.arch import architectures
from hil.gdb import elf

TEXT = elf.Section(".text", 0xFFFF_FFFF_8100_0000, 0xFFFF_FFFF_8200_0000, executable=True)
DATA = elf.Section(".data", 0xFFFF_FFFF_8300_0000, 0xFFFF_FFFF_8300_1000, executable=False)
ENTRIES = (
    elf.Entry("start_kernel", TEXT.start, 64, function=True),
    elf.Entry("jiffies", DATA.start + 8, 8, function=False),
    elf.Entry("outside", 0x1000, 0, function=False),
    elf.Entry("behind", TEXT.end, 0, function=True),
)


def table(data: bytes) -> SymbolTableSection:
    section = ELFFile(BytesIO(data)).get_section_by_name(".symtab")
    assert isinstance(section, SymbolTableSection)
    return section


@pytest.mark.parametrize("arch", architectures().values(), ids=str)
def test_header_names_the_machine(arch: object) -> None:
    machine = getattr(arch, "elf_machine")  # noqa: B009
    header = ELFFile(BytesIO(elf.write(machine, (), ()))).header
    assert header["e_machine"] == machine
    assert header["e_ident"]["EI_CLASS"] == "ELFCLASS64"


def test_sections_have_addresses_and_no_content() -> None:
    file = ELFFile(BytesIO(elf.write("EM_X86_64", (DATA, TEXT), ())))
    text, data = file.get_section_by_name(".text"), file.get_section_by_name(".data")
    assert (text["sh_addr"], text["sh_size"], text["sh_type"]) == (TEXT.start, 0x100_0000, "SHT_NOBITS")
    assert text["sh_flags"] == 2 | 4
    assert data["sh_flags"] == 2 | 1


def test_symbols_lie_in_their_sections() -> None:
    data = elf.write("EM_X86_64", (DATA, TEXT), ENTRIES)
    found = {symbol.name: symbol for symbol in table(data).iter_symbols() if symbol.name}
    assert found.keys() == {entry.name for entry in ENTRIES}
    sections = [section.name for section in ELFFile(BytesIO(data)).iter_sections()]
    start = found["start_kernel"]
    assert (start["st_value"], start["st_size"], start["st_info"]["type"]) == (TEXT.start, 64, "STT_FUNC")
    assert sections[start["st_shndx"]] == ".text"
    assert sections[found["jiffies"]["st_shndx"]] == ".data"
    assert found["jiffies"]["st_info"]["type"] == "STT_OBJECT"
    assert found["outside"]["st_shndx"] == found["behind"]["st_shndx"] == "SHN_ABS"


@pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="gdb-multiarch is not installed")
def test_gdb_maps_addresses_to_names(tmp_path: Path) -> None:
    path = tmp_path / "symbols.elf"
    path.write_bytes(elf.write("EM_X86_64", (TEXT, DATA), ENTRIES))
    commands = (f"symbol-file {path}", f"info symbol {TEXT.start + 4:#x}", "info address start_kernel")
    words = [word for command in commands for word in ("-ex", command)]
    done = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", *words], capture_output=True, text=True, timeout=60)
    assert "start_kernel + 4 in section .text" in done.stdout
    assert f"{TEXT.start:#x}" in done.stdout
