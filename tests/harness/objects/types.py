# SPDX-License-Identifier: MIT
"""Sections .BTF and .BTF.ext as compilers make them, built in memory: include/uapi/linux/btf.h."""

from __future__ import annotations

import struct

from harness.objects.btf.types import Kind


class Types:
    """A section .BTF as it grows; each method returns the number of the type that it adds."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.names = b"\0"
        self._content = b""
        self._count = 0

    def string(self, text: str) -> int:
        """Where the string is, which is put there when it is new."""
        if not text:
            return 0
        found = self.names.find(b"\0" + text.encode() + b"\0")
        if found >= 0:
            return found + 1
        self.names += text.encode() + b"\0"
        return len(self.names) - len(text.encode()) - 1

    def add(self, kind: Kind, name: str, word: int, *more: int, count: int = 0, flag: bool = False) -> int:
        """`more` are the words behind the first three."""
        info = flag << 31 | kind << 24 | count
        words = (self.string(name), info, word, *(number & 0xFFFFFFFF for number in more))
        self._content += struct.pack(f"{self.order}{len(words)}I", *words)
        self._count += 1
        return self._count

    def int(self, name: str = "int", size: int = 4, encoding: int = 1) -> int:
        return self.add(Kind.INT, name, size, encoding << 24 | 8 * size)

    def pointer(self, to: int) -> int:
        return self.add(Kind.PTR, "", to)

    def array(self, of: int, elements: int) -> int:
        return self.add(Kind.ARRAY, "", 0, of, of, elements)

    def struct(self, name: str, size: int, **members: tuple[int, int]) -> int:
        """Members by name: type, and offset in bits."""
        words = [word for key, (type, offset) in members.items() for word in (self.string(key), type, offset)]
        return self.add(Kind.STRUCT, name, size, *words, count=len(members))

    def enumeration(self, name: str, **values: int) -> int:
        words = [word for key, value in values.items() for word in (self.string(key), value)]
        return self.add(Kind.ENUM, name, 4, *words, count=len(values))

    def variable(self, name: str, type: int, linkage: int = 1) -> int:
        return self.add(Kind.VAR, name, type, linkage)

    def section(self, name: str, *variables: tuple[int, int, int]) -> int:
        """Each variable with its offset and size in bytes."""
        words = [word for variable in variables for word in variable]
        return self.add(Kind.DATASEC, name, sum(size for *_, size in variables), *words, count=len(variables))

    def number(self, value: int) -> int:
        """The type of a member that says a number: __uint(name, value)."""
        return self.pointer(self.array(self.int(), value))

    def content(self) -> bytes:
        """The section .BTF."""
        order, types, names = self.order, self._content, self.names
        return struct.pack(f"{order}HBBI4I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(names)) + types + names

    def extension(
        self,
        section: str,
        lines: tuple[tuple[int, str, int, str], ...] = (),
        core: tuple[tuple[int, int, str, int], ...] = (),
        functions: tuple[tuple[str, int, int], ...] = (),
        called: tuple[tuple[int, str, int, str], ...] = (),
    ) -> bytes:
        """A section .BTF.ext. Lines: offset, file, number, text; those of .text are `called`. Relocations: offset,
        type, access, kind. Functions: section, offset, type."""
        name = self.string(section)
        typed = b"".join(struct.pack(f"{self.order}4I", self.string(home), 1, at, type) for home, at, type in functions)
        begun = struct.pack(f"{self.order}I", 8) + typed if typed else b""
        about = self._part(name, self._lines(lines))
        about += self._part(self.string(".text"), self._lines(called))[4 if about else 0 :]
        relocations = self._part(name, [(at, type, self.string(access), kind) for at, type, access, kind in core])
        first = len(begun)
        places = (0, first, first, len(about), first + len(about), len(relocations))
        return struct.pack(f"{self.order}HBBI6I", 0xEB9F, 1, 0, 32, *places) + begun + about + relocations

    def _lines(self, lines: tuple[tuple[int, str, int, str], ...]) -> list[tuple[int, int, int, int]]:
        return [(at, self.string(file), self.string(text), number << 10) for at, file, number, text in lines]

    def _part(self, section: int, entries: list[tuple[int, int, int, int]]) -> bytes:
        if not entries:
            return b""
        packed = b"".join(struct.pack(f"{self.order}4I", *entry) for entry in entries)
        return struct.pack(f"{self.order}3I", 16, section, len(entries)) + packed
