# SPDX-License-Identifier: MIT
"""Why an object, or something in it, is not loaded as it is: a fixed set of reasons, each with its sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hil.errors import UserError
from hil.printable import printable


class Reason(Enum):
    """The value is the sentence that is true of everything that is refused for it."""

    NOT_ELF = "the file is no ELF file"
    NOT_BPF = "the ELF file is not made of BPF instructions"
    NOT_RELOCATABLE = "the ELF file is linked already; loaders take what the compiler made"
    DAMAGED = "the file is cut short or contradicts itself"
    TOO_LARGE = "it is larger than any kernel takes"
    NO_PROGRAM = "no section holds instructions"
    WRONG_BYTE_ORDER = "the object is for kernels of the other byte order"
    UNKNOWN_SECTION = "the name of the section tells no type of program, so only a loader of its own can load it"
    BAD_VERSION = "the section version holds no LINUX_VERSION_CODE of 4 bytes"
    BAD_INSTRUCTIONS = "the section is no sequence of whole instructions"
    BAD_FUNCTION = "a function begins or ends outside of its section, or within an instruction"
    BAD_RELOCATION = "a relocation is of a kind, or in a place, that BPF does not have"
    RELOCATION_WITH_ADDEND = "the relocations have addends, which BPF does not use"
    UNDEFINED_SYMBOL = "the program refers to something that no section of the object defines"
    UNSUPPORTED_REFERENCE = "the program refers to a section that is neither maps, data nor functions"
    BAD_CALL = "a call leads to no function of the object"
    UNNAMED_MAP = "the program refers to a map that has no name"
    BAD_MAP = "the definition of a map is cut short or contradicts itself"
    UNKNOWN_MAP_FIELD = "the definition of a map has something that no known loader gives a meaning"
    BAD_BTF = "the type information (BTF) is cut short or contradicts itself"
    NEEDS_KERNEL_TYPES = "it is adjusted to the types of a kernel when it is loaded (CO-RE)"
    FIELD_MISSING = "the types of the kernel have not what the program asks of them (CO-RE)"
    AMBIGUOUS_TYPE = "the kernel has several types of that name, which differ in what the program asks of them (CO-RE)"
    NEEDS_KERNEL_FUNCTION = "the program calls a function of the kernel by its type (kfunc)"
    NEEDS_KERNEL_SYMBOL = "the program uses the address of a variable of the kernel (ksym)"
    NEEDS_ATTACH_TYPE = "the program is loaded for a function of the kernel, which its BTF names by number"
    TOO_MUCH_MEMORY = "its maps and programs need more memory than the bench has for them"
    NO_SCRIPT = "the bench has no script for it: something in it is named or placed as no operation here takes it"
    NEEDS_CONFIG = "the program reads what the configuration of the kernel says (kconfig)"

    @property
    def word(self) -> str:
        """As it is written in tables and JSON: `kernel-types`."""
        return self.name.lower().removeprefix("needs_").replace("_", "-")


@dataclass(frozen=True)
class Line:
    """A line of the source, as .BTF.ext has it; `column` counts from 1, 0 where it is not known."""

    file: str
    number: int
    column: int = 0
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


@dataclass(frozen=True)
class Refusal:
    """`what` is the whole story for people. `instruction` counts from the beginning of the program. As a text it is one
    line, whatever names the object has."""

    reason: Reason
    what: str
    section: str = ""
    instruction: int | None = None
    line: Line | None = None
    remedy: str = ""

    def __str__(self) -> str:
        place = f", at {self.line}" if self.line else ""
        return printable(f"{self.what}{place}")


class Refused(UserError):
    """A refusal that ends what was being done; `refusal` is the same as data."""

    def __init__(
        self,
        reason: Reason,
        what: str,
        *,
        section: str = "",
        instruction: int | None = None,
        line: Line | None = None,
        remedy: str = "",
    ) -> None:
        self.refusal = Refusal(reason, what, section, instruction, line, remedy)
        super().__init__(str(self.refusal), remedy=remedy)
