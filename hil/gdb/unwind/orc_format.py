# SPDX-License-Identifier: MIT
"""The rows of ORC tables as kernels of different age write them; arch/x86/include/asm/orc_types.h."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hil.errors import BenchError


class Base(Enum):
    """What an offset counts from, ORC_REG_*. INDIRECT: from what is stored there."""

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
    """What lies at the caller's stack pointer."""

    END = "nothing: the kernel was entered here, or nobody knows"
    CALL = "a return address below it"
    REGS = "struct pt_regs"
    REGS_PARTIAL = "the part of struct pt_regs that the CPU pushes"


@dataclass(frozen=True)
class Row:
    """Where the caller's stack pointer is, and where its frame pointer was saved."""

    sp_base: Base
    sp_offset: int
    bp_base: Base
    bp_offset: int
    kind: Kind


FRAME_POINTER = Row(Base.BP, 16, Base.PREV_SP, -16, Kind.CALL)
"""A function that set up a frame pointer; `orc_fp_entry`, the kernel's own guess for code that has no tables."""

_ENTRY = struct.Struct("<hhH")
_END = Row(Base.UNDEFINED, 0, Base.UNDEFINED, 0, Kind.END)
_FIRST_INSTRUCTION = Row(Base.SP, 8, Base.UNDEFINED, 0, Kind.CALL)


@dataclass(frozen=True)
class OrcFormat:
    """Three 16 bit words a row: sp_offset, bp_offset, and from its lowest bit on: sp_reg (4 bits), bp_reg (4), `kinds`
    by the bits `kind_mask` of the upper byte; the bit `end` of it, where there is one, overrules them. `bases` are the
    registers by number. `since` is the first release that can have it."""

    since: tuple[int, int]
    bases: tuple[Base, ...]
    kinds: Mapping[int, Kind]
    kind_mask: int
    end: int
    link: str

    size = _ENTRY.size

    def row(self, data: bytes) -> Row:
        """Decode one row; what no kernel writes counts as the end."""
        sp_offset, bp_offset, bits = _ENTRY.unpack(data)
        sp_base, bp_base, flags = bits & 0xF, bits >> 4 & 0xF, bits >> 8
        if flags & self.end or max(sp_base, bp_base) >= len(self.bases):
            return _END
        kind = self.kinds.get(flags & self.kind_mask, Kind.END)
        return Row(self.bases[sp_base], sp_offset, self.bases[bp_base], bp_offset, kind)


# Linux 4.14 to 6.19: base registers first come the special ones.
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
    """The format that a release ("6.1.192") writes, given the row it has for the first instruction of some C function,
    where every format says the same: the caller's stack is 8 above ours. BenchError when it is a format we do not know.

    The row decides between formats that stable releases and distributions may have taken over; the release between
    those that the row cannot tell apart.
    """
    release = tuple(int(part) for part in version.split(".")[:2])
    fitting = [row for row in FORMATS if row.since <= release and row.row(first_instruction) == _FIRST_INSTRUCTION]
    if not fitting:
        raise BenchError(
            f"the kernel {version} has ORC tables of a format we do not know ({first_instruction.hex(' ')})",
            remedy="compare arch/x86/include/asm/orc_types.h of its sources with hil/gdb/unwind/orc_format.py",
        )
    return fitting[-1]
