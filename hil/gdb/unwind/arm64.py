# SPDX-License-Identifier: MIT
"""Frame records and exceptions of arm64; AAPCS64 6.4.6, and arch/arm64/kernel/entry.S."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hil.gdb.unwind.frame_pointer import Place
from hil.gdb.unwind.stopped import Stopped, Symbols, word

# `add x29, sp, #n`, and `mov x29, sp`, which is the same with 0: the record is linked.
_LINKS, _LINKS_MASK = 0x910003FD, 0xFFC003FF

# struct pt_regs, arch/arm64/include/asm/ptrace.h.
_X29, _X30, _SP, _PC = 232, 240, 248, 256

# The offset in struct pt_regs of the frame record that the entry code links, and whether that record is all zeros and
# followed by a word with its type.
_RECORDS = (
    (304, False),  # 4.19 to 6.12: `stackframe`, a copy of x29 and pc
    (288, False),  # 4.10 to 4.18, without `pmr_save`
    (296, True),  # since 6.13 (c2c6b27b5aa1): `struct frame_record_meta`
)
_META_PT_REGS = 2


class Arm64:
    """A `hil.gdb.unwind.frame_pointer.Convention`."""

    record = 0

    def unlinked_return(self, cpu: Stopped, code: bytes, place: Place) -> int | None:
        whole = len(code) - len(code) % 4
        linked = any(word & _LINKS_MASK == _LINKS for (word,) in struct.iter_unpack("<I", code[:whole]))
        return None if linked else place.link

    def interrupted(self, cpu: Stopped, record: int) -> Place | None:
        following = word(cpu, record)
        if not following:
            return None
        for registers in self._candidates(cpu, following):
            fields = (word(cpu, registers + offset) for offset in (_PC, _SP, _X29, _X30))
            return Place(*fields)
        return None

    def return_address(self, value: int) -> int:
        # With pointer authentication the bits above the 48 of an address hold a signature; bit 55 selects the half.
        return value | 0xFFFF << 48 if value >> 55 & 1 else value

    def original(self, cpu: Stopped, symbols: Symbols, address: int) -> int:
        return address

    def _candidates(self, cpu: Stopped, record: int) -> Iterator[int]:
        """Yield the addresses at which a struct pt_regs around the record at `record` may begin."""
        fp, pc = word(cpu, record), word(cpu, record + 8)
        for offset, marked in _RECORDS:
            start = record - offset
            if marked:
                if fp == pc == 0 and word(cpu, record + 16) == _META_PT_REGS:
                    yield start
            # A record that is inside has the same two values as the registers that were saved.
            elif pc and (word(cpu, start + _X29), word(cpu, start + _PC)) == (fp, pc):
                yield start
