# SPDX-License-Identifier: MIT
"""A program from a file, whose form is detected from its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.isa.instruction import MOST_INSTRUCTIONS, SIZE, decode
from harness.isa.text import assemble
from harness.programs import hexadecimal
from harness.script.operations import CreateMap, Program, ProgramType
from hil.errors import UserError

MOST_TEXT = 1 << 20
"""The most bytes of assembler text, about 50,000 instructions; the assembler is slow."""
MOST_CONTENT = 64 << 20
"""The most bytes of any form; object files contain debug information."""


class Format(StrEnum):
    """The forms a program may have."""

    ASSEMBLER = "asm"
    BYTES = "raw"
    HEXADECIMAL = "hex"
    OBJECT_FILE = "elf"


@dataclass(frozen=True)
class Source:
    """A program, and the contents of its file: maps it defines, names it refers to, license, and the kernel's
    LINUX_VERSION_CODE it is for.

    `section` is its section in an object file, "" in any other form. The name gives its `type`, and `more` says why
    that is not all that would be passed to the kernel; None and "" where it does not.
    """

    program: Program
    maps: tuple[CreateMap, ...] = ()
    license: str | None = None
    kern_version: int | None = None
    section: str = ""
    type: ProgramType | None = None
    more: str = ""


def read(content: bytes, format: Format | None = None, section: str | None = None, types: Path | None = None) -> Source:
    """Returns the program in `content`; raises UserError saying what is wrong with it.

    `section` picks one of several programs of an object file, by the name of its section or its own; `types` is a file
    with the types of the kernel that it is adjusted to.
    """
    if len(content) > MOST_CONTENT:
        raise UserError(f"a program of more than {MOST_CONTENT >> 20} MiB", remedy="no kernel takes so much")
    if not content.strip():
        raise UserError("the program is empty", remedy="give instructions as text, bytes, hex or an object file")
    format = format or detect(content)
    if section is not None and format is not Format.OBJECT_FILE:
        raise UserError(f"--section {section}: the program is no object file", remedy="leave --section out")
    if types is not None and format is not Format.OBJECT_FILE:
        raise UserError(f"--types {types}: the program is no object file", remedy="leave --types out")
    if format is Format.OBJECT_FILE:
        from harness.objects.kernel_types import from_file
        from harness.programs import object_file  # importing pyelftools is slow, and few programs need it

        return object_file.read(content, section, None if types is None else from_file(types))
    return Source(_READERS[format](content))


def detect(content: bytes) -> Format:
    """Returns the form of `content`: an ELF magic, hexadecimal digits alone, text, and bytes where nothing else
    fits."""
    if content.startswith(b"\x7fELF"):
        return Format.OBJECT_FILE
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Format.BYTES
    # Every program has zero bytes in some immediate or offset; text has none.
    if any(character < " " and character not in "\t\n\r\f" for character in text):
        return Format.BYTES
    return Format.HEXADECIMAL if hexadecimal.is_hexadecimal(text) else Format.ASSEMBLER


def from_bytes(content: bytes) -> Program:
    """Returns the instructions in `content`; raises UserError when there are too many, or half of one."""
    if len(content) > MOST_INSTRUCTIONS * SIZE:
        raise UserError(
            f"a program of {len(content) // SIZE} instructions", remedy=f"no kernel takes more than {MOST_INSTRUCTIONS}"
        )
    return Program(decode(content))


def _from_text(content: bytes) -> Program:
    if len(content) > MOST_TEXT:
        raise UserError(f"{len(content)} bytes of assembler text", remedy=f"give at most {MOST_TEXT}, or bytes")
    program = assemble(_text(content))
    if not program.instructions:
        raise UserError("the program has no instructions", remedy="end it at least with `exit`")
    return program


def _from_hexadecimal(content: bytes) -> Program:
    return from_bytes(hexadecimal.parse(_text(content), "the program"))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"the program is no text at byte {error.start}", remedy="choose another --format") from None


_READERS: dict[Format, Callable[[bytes], Program]] = {
    Format.ASSEMBLER: _from_text,
    Format.BYTES: from_bytes,
    Format.HEXADECIMAL: _from_hexadecimal,
}
