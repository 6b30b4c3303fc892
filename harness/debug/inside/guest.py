# SPDX-License-Identifier: MIT
"""The stopped guest, through gdb: registers, memory, and where fields of the kernel's structures are."""

from __future__ import annotations

from collections.abc import Mapping

import gdb

from hil.errors import BenchError, UserError

M64 = (1 << 64) - 1


def register(name: str) -> int:
    """Returns a register of the innermost frame."""
    # An expression, not a frame's method: making a frame unwinds.
    return int(gdb.parse_and_eval(f"(unsigned long)${name}")) & M64


def memory(address: int, size: int) -> bytes:
    """Returns the guest's memory; raises BenchError where nothing is mapped."""
    try:
        return bytes(gdb.selected_inferior().read_memory(address & M64, size))
    except (gdb.MemoryError, OverflowError):
        raise BenchError(f"the guest has no memory of {size} bytes at {address:#x}") from None


def word(address: int) -> int:
    """Returns 64 bits of the guest's memory."""
    return int.from_bytes(memory(address, 8), "little")


def half(address: int) -> int:
    """Returns 32 bits of the guest's memory."""
    return int.from_bytes(memory(address, 4), "little")


def symbol(name: str) -> int | None:
    """Returns the address of a symbol; None when there is none."""
    try:
        return int(gdb.parse_and_eval(f"(unsigned long)&{name}")) & M64
    except gdb.error:
        return None


def near(address: int) -> str:
    """Returns an address as a symbol and an offset, or as a number where there is no symbol."""
    text = gdb.execute(f"info symbol {address:#x}", to_string=True) or ""
    return text.partition(" in section ")[0].replace(" + ", "+").strip() if " in section " in text else f"{address:#x}"


class Structures:
    """Offsets of fields: those that `hil` found in the kernel's own types, and what gdb knows."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = dict(known)

    def offset(self, structure: str, field: str) -> int:
        """Returns where a field is, in bytes; raises UserError when nobody knows the structure."""
        name = f"{structure}.{field}"
        if name not in self._known:
            self._known[name] = _from_types(structure, field)
        return self._known[name]


def _from_types(structure: str, field: str) -> int:
    try:
        found = _within(gdb.lookup_type(f"struct {structure}"), field)
    except gdb.error:
        found = None
    if found is None:
        raise UserError(
            f"nobody knows where {field} is in struct {structure} of this kernel",
            remedy="it needs types: a kernel with CONFIG_DEBUG_INFO_BTF, or a vmlinux with debug information",
        )
    return found // 8


def _within(type: gdb.Type, name: str) -> int | None:
    """Returns the bits before a field, also of one in a structure or union without a name."""
    for field in type.fields():
        if field.name == name:
            return field.bitpos
        if not field.name and field.type is not None and (inside := _within(field.type, name)) is not None:
            return (field.bitpos or 0) + inside
    return None
