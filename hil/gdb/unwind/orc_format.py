# SPDX-License-Identifier: MIT
"""The formats of the rows of ORC tables by release; arch/x86/include/asm/orc_types.h."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hil.errors import BenchError


class Base(Enum):
    """The base of an offset, ORC_REG_*. INDIRECT means the value that is stored there."""

    UNDEFINED = "nothing"
    PREV_SP = "the caller's stack pointer"
    AX = "rax"
    DX = "rdx"
    DI = "rdi"
    BP = "rbp"
    SP = "rsp"
    R10 = "r10"
    R13 = "r13"
    BP_INDIRECT = "memory at rbp"
    SP_INDIRECT = "memory at rsp"


class Kind(Enum):
    """The kind of data at the caller's stack pointer."""

    END = "nothing: the kernel was entered here, or the caller is unknown"
    CALL = "a return address below it"
    REGS = "struct pt_regs"
    REGS_PARTIAL = "the part of struct pt_regs that the CPU pushes"


@dataclass(frozen=True)
class Row:
    """One row of a table: where the caller's stack pointer is, and where its frame pointer was saved."""

    sp_base: Base
    sp_offset: int
    bp_base: Base
    bp_offset: int
    kind: Kind


FRAME_POINTER = Row(Base.BP, 16, Base.PREV_SP, -16, Kind.CALL)
"""The row for a function that set up a frame pointer: `orc_fp_entry`, which the kernel uses for code without tables."""

_ENTRY = struct.Struct("<hhH")
_END = Row(Base.UNDEFINED, 0, Base.UNDEFINED, 0, Kind.END)
_FIRST_INSTRUCTION = Row(Base.SP, 8, Base.UNDEFINED, 0, Kind.CALL)


@dataclass(frozen=True)
class OrcFormat:
    """A format of rows of three 16-bit words: sp_offset, bp_offset, and flags. From the lowest bit on the flags are
    sp_reg (4 bits), bp_reg (4 bits) and, in the upper byte, the key of `kinds` under `kind_mask`; the bit `end` of that
    byte, where it is not 0, takes precedence. `bases` are the registers by number; `since` is the first release that
    can have it."""

    since: tuple[int, int]
    bases: tuple[Base, ...]
    kinds: Mapping[int, Kind]
    kind_mask: int
    end: int
    link: str

    size = _ENTRY.size

    def row(self, data: bytes) -> Row:
        """Decode one row; a row that no kernel writes is taken for the end."""
        sp_offset, bp_offset, bits = _ENTRY.unpack(data)
        sp_base, bp_base, flags = bits & 0xF, bits >> 4 & 0xF, bits >> 8
        if flags & self.end or max(sp_base, bp_base) >= len(self.bases):
            return _END
        kind = self.kinds.get(flags & self.kind_mask, Kind.END)
        return Row(self.bases[sp_base], sp_offset, self.bases[bp_base], bp_offset, kind)


# Linux 4.14 to 6.19.
_OLD_BASES = (
    *(Base.UNDEFINED, Base.PREV_SP, Base.DX, Base.DI, Base.BP, Base.SP, Base.R10, Base.R13),
    *(Base.BP_INDIRECT, Base.SP_INDIRECT, Base.AX),
)
_NEW_BASES = (
    *(Base.UNDEFINED, Base.AX, Base.DX, Base.SP, Base.BP, Base.DI, Base.R10, Base.R13),
    *(Base.PREV_SP, Base.SP_INDIRECT, Base.BP_INDIRECT),
)
_CALL_FIRST = {0: Kind.CALL, 1: Kind.REGS, 2: Kind.REGS_PARTIAL}
_END_FIRST = {0: Kind.END, 1: Kind.END, 2: Kind.CALL, 3: Kind.REGS, 4: Kind.REGS_PARTIAL}
_LOG = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/log/arch/x86/include/asm/orc_types.h"

FORMATS = (
    OrcFormat(
        (4, 20),
        _OLD_BASES,
        _CALL_FIRST,
        kind_mask=0b11,
        end=0b100,
        link="https://elixir.bootlin.com/linux/v4.20/source/arch/x86/include/asm/orc_types.h",
    ),
    # `signal` took the bit of `end`, which moved up.
    OrcFormat(
        (6, 3),
        _OLD_BASES,
        _CALL_FIRST,
        kind_mask=0b11,
        end=0b1000,
        link="https://git.kernel.org/torvalds/c/ffb1b4a41016",
    ),
    # The end became a kind.
    OrcFormat(
        (6, 4), _OLD_BASES, _END_FIRST, kind_mask=0b111, end=0, link="https://git.kernel.org/torvalds/c/fb799447ae29"
    ),
    # The registers got other numbers; 7.2 has them.
    OrcFormat((7, 0), _NEW_BASES, _END_FIRST, kind_mask=0b111, end=0, link=_LOG),
)


def orc_format(version: str, first_instruction: bytes) -> OrcFormat:
    """The format of the tables of a release ("6.1.192"), given its row for the first instruction of a C function.

    That row must decode to "the caller's stack pointer is 8 bytes above", which excludes formats even where a stable
    release or a distribution has backported one; of those that remain the newest up to the release is taken.
    Raises BenchError when none does.
    """
    release = tuple(int(part) for part in version.split(".")[:2])
    fitting = [row for row in FORMATS if row.since <= release and row.row(first_instruction) == _FIRST_INSTRUCTION]
    if not fitting:
        raise BenchError(
            f"the kernel {version} has ORC tables of an unknown format ({first_instruction.hex(' ')})",
            remedy="compare arch/x86/include/asm/orc_types.h of its sources with hil/gdb/unwind/orc_format.py",
        )
    return fitting[-1]
