# SPDX-License-Identifier: MIT
"""Memory for programs: typed regions whose bytes are known or unknown, little endian."""

from __future__ import annotations

from collections.abc import Hashable

from harness.model.unpredictable import Unpredictable
from harness.model.value import Pointer, Value, number, unknown
from harness.script.outcome import KERNEL_ADDRESS, Bytes, Piece, Unknown

USER_ADDRESS = Unknown("an address in user space", least=4096, most=(1 << 47) - 1)


class Fault(Exception):
    """An access that no verified program makes: outside its region, through a number, or into read-only memory.

    It ends the run; `harness.model.interpreter` turns it into a result.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Region:
    """`size` contiguous bytes: the stack, a context, a map's value, a user's buffer, a packet.

    Each byte is known, or part of a value that was stored (a pointer, a partly known number), or garbage. A value read
    back as it was stored is the same value. `content` gives the known bytes; without it all bytes are garbage. Its
    address is a multiple of `alignment`, a power of two.
    """

    __slots__ = ("_cells", "_content", "_unknown", "address", "alignment", "garbage", "name", "size", "writable")

    def __init__(
        self,
        name: str,
        size: int,
        content: bytes | None = None,
        *,
        writable: bool = True,
        address: Unknown = KERNEL_ADDRESS,
        alignment: int = 1,
        garbage: str = "memory nobody wrote",
    ) -> None:
        self.name = name
        self.alignment = alignment
        self.size = size
        self.writable = writable
        self.address = address
        self.garbage = garbage
        self._content = bytearray(size) if content is None else bytearray(content)
        self._unknown = bytearray(b"\1" * size) if content is None else bytearray(size)
        self._cells: dict[int, tuple[Value, int]] = {}

    @property
    def user(self) -> bool:
        """Returns whether it lies in user space."""
        return self.address is USER_ADDRESS

    def load(self, offset: int, size: int) -> Value:
        """Returns the number in `size` bytes at `offset`; raises Fault when they are not all inside."""
        end = offset + size
        if offset < 0 or end > self.size:
            raise Fault(f"read of {size} bytes at {offset} of {self.name}, which has {self.size}")
        if self._unknown.find(1, offset, end) < 0:
            return int.from_bytes(self._content[offset:end], "little")
        return self._gather(offset, size)

    def store(self, offset: int, size: int, value: Value) -> None:
        """Stores the low `size` bytes of `value` at `offset`; raises Fault when they do not fit or may not be
        written."""
        end = offset + size
        if offset < 0 or end > self.size:
            raise Fault(f"write of {size} bytes at {offset} of {self.name}, which has {self.size}")
        if not self.writable:
            raise Fault(f"write to {self.name}, which is read-only")
        if isinstance(value, int):
            self._content[offset:end] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            self._unknown[offset:end] = bytes(size)
        else:
            # A pointer keeps what it points to, a number what it is the same as, even if some of its bits are known.
            known = None if isinstance(value, Pointer) else number(value)
            for index in range(size):
                if known is None or known.source is not None or known.mask >> 8 * index & 0xFF:
                    self._unknown[offset + index] = 1
                    self._cells[offset + index] = (value, index)
                else:
                    self._unknown[offset + index] = 0
                    self._content[offset + index] = known.value >> 8 * index & 0xFF

    def store_bytes(self, offset: int, content: bytes) -> None:
        """Stores known bytes; raises Fault as `store`."""
        for at, byte in enumerate(content, offset):
            self.store(at, 1, byte)

    def blur(self, offset: int, size: int, why: str) -> None:
        """Makes `size` bytes at `offset` unknown; raises Fault as `store`."""
        for at in range(offset, offset + size):
            self.store(at, 1, unknown(why, bits=8))

    def copy(self, offset: int, source: Region, start: int, size: int) -> None:
        """Copies bytes, known and unknown ones; raises Fault as `load` and `store`."""
        if not (0 <= start <= start + size <= source.size and 0 <= offset <= offset + size <= self.size):
            raise Fault(f"copy of {size} bytes from {source.name}{start:+d} to {self.name}{offset:+d}")
        if not self.writable:
            raise Fault(f"write to {self.name}, which is read-only")
        unknown = source._unknown[start : start + size]
        cells = {at: source._cell(start + at) for at in range(size) if unknown[at]} if 1 in unknown else {}
        self._content[offset : offset + size] = source._content[start : start + size]
        self._unknown[offset : offset + size] = unknown
        for at, cell in cells.items():
            self._cells[offset + at] = cell

    def known(self, offset: int, size: int) -> bytes:
        """Returns bytes all of which are known; else raises Unpredictable."""
        if offset < 0 or offset + size > self.size:
            raise Fault(f"read of {size} bytes at {offset} of {self.name}, which has {self.size}")
        unknown_at = self._unknown.find(1, offset, offset + size)
        if unknown_at >= 0:
            value, _ = self._cell(unknown_at)
            raise Unpredictable(f"bytes of {self.name} hold {number(value).why}")
        return bytes(self._content[offset : offset + size])

    def prediction(self, size: int | None = None) -> bytes | Bytes:
        """Returns what reading the first `size` bytes yields. Adjacent unknown bytes of one value are one piece."""
        size = self.size if size is None else size
        content = bytes(self._content[:size])
        pieces: list[Piece] = []
        at = self._unknown.find(1, 0, size)
        while at >= 0:
            value, first = self._cell(at)
            length = 1
            while at + length < size and self._continues(at + length, value, first + length):
                length += 1
            if first == 0 and length == 8 and not isinstance(value, int):
                leaf = value.partial().prediction()
            else:
                leaf = number((value >> 8 * first) & ((1 << 8 * length) - 1)).prediction()
            pieces.append(Piece(at, length, leaf))
            at = self._unknown.find(1, at + length, size)
        return Bytes(content, tuple(pieces)) if pieces else content

    def image(self) -> tuple[bytes, bytes]:
        """Returns the bytes as they are now, and for each of them 1 when it is not a known number, else 0."""
        return bytes(self._content), bytes(self._unknown)

    def parts(self) -> dict[int, tuple[Value, int]]:
        """Returns, by the place of a byte that is not a known number, the value that it is a part of, and which of its
        bytes it is; without bytes of which nothing is known."""
        return {at: cell for at, cell in self._cells.items() if self._unknown[at]}

    def _cell(self, at: int) -> tuple[Value, int]:
        """Returns the value that the unknown byte at `at` is a part of, and which of its bytes it is."""
        cell = self._cells.get(at)
        if cell is None:
            cell = self._cells[at] = (unknown(self.garbage, bits=8), 0)
        return cell

    def _continues(self, at: int, value: Value, index: int) -> bool:
        if not self._unknown[at]:
            return False
        cell, part = self._cell(at)
        return cell is value and part == index

    def _gather(self, offset: int, size: int) -> Value:
        if size == 8 and self._unknown.find(0, offset, offset + 8) < 0:
            whole, _ = self._cell(offset)
            if all(self._continues(offset + index, whole, index) for index in range(8)):
                return whole
        result: Value = 0
        for index in range(size):
            at = offset + index
            byte: Value = self._content[at]
            if self._unknown[at]:
                value, part = self._cell(at)
                byte = (value >> 8 * part) & 0xFF
            result = result | (byte << 8 * index)
        return result


class Context(Region):
    """The context of a program. Where `place` is the same, so is the chain of calls that leads there."""

    __slots__ = ("place",)

    def __init__(self, name: str, size: int, *, place: Hashable, garbage: str) -> None:
        super().__init__(name, size, alignment=8, garbage=garbage)
        self.place = place


class UserMemory(Region):
    """Memory of the calling process. It is mapped when it is `there`; `ends` says that nothing is mapped after it,
    otherwise what follows is unknown."""

    __slots__ = ("ends", "there")

    def __init__(self, name: str, size: int, content: bytes, *, there: bool = True, ends: bool = False) -> None:
        super().__init__(name, size, content, address=USER_ADDRESS)
        self.there = there
        self.ends = ends


def load(address: Value, offset: int, size: int) -> Value:
    """Returns `*(size *)(address + offset)`."""
    if isinstance(address, Pointer):
        return address.region.load(address.offset + offset, size)
    raise Fault(f"read through {_name(address)}, which is no pointer")


def store(address: Value, offset: int, size: int, value: Value) -> None:
    """Performs `*(size *)(address + offset) = value`."""
    if not isinstance(address, Pointer):
        raise Fault(f"write through {_name(address)}, which is no pointer")
    address.region.store(address.offset + offset, size, value)


def _name(address: Value) -> str:
    return hex(address) if isinstance(address, int) else number(address).why
