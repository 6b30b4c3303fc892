# SPDX-License-Identifier: MIT
"""A place in a file of user space as the kernel is told it, by the name of a section:
elf_find_func_offset_from_file(), tools/lib/bpf/elf.c, and resolve_full_path(), tools/lib/bpf/libbpf.c (7.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from elftools.elf.elffile import ELFFile

from hil.nearest import nearest

FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/lib", "/lib64", "/usr/lib", "/usr/lib64")
"""Where a file without a folder is looked for, and libraries also in the folder of the architecture below."""
_TARGET = re.compile(r"(?P<path>[^:]+):(?P<symbol>[\w.@$]+)(?:\+(?P<offset>0[xX][0-9a-fA-F]+|\d+))?")
_CODE = frozenset({"STT_FUNC", "STT_GNU_IFUNC"})


@dataclass(frozen=True)
class UserPlace:
    """A byte of a file."""

    path: str
    offset: int


@dataclass(frozen=True)
class NoPlace:
    """Why there is none: `kind` is a word of `harness.check.kinds`, `what` the whole story, `remedy` what to do."""

    kind: str
    what: str
    remedy: str = ""


def locate(target: str, arch: str, content: Callable[[str], bytes | None], *, returns: bool) -> UserPlace | NoPlace:
    """Returns where `PATH:SYMBOL+OFFSET` is; `content` returns what a file of the lane has, None where it has none."""
    found = _TARGET.fullmatch(target)
    if found is None:
        return NoPlace("no-place", f"{target or 'the section'} names no function in a file", "name FILE:FUNCTION")
    path, symbol, offset = found["path"], found["symbol"], int(found["offset"] or "0", 0)
    if returns and offset:
        return NoPlace("no-place", f"{target}: a function returns to no offset of its own", "leave the offset out")
    for there in (path,) if "/" in path else tuple(_candidates(path, arch)):
        if (read := content(there)) is not None:
            break
    else:
        what = f"needs the file {path}, which the lane does not have"
        return NoPlace("no-file", what, "hil exec runs a loader of yours where --root or a disk has it")
    functions = dict(_functions(read))
    if symbol not in functions:
        if not functions:
            return NoPlace("no-symbol", f"{there} names no functions: it is stripped", "take one that is not")
        return NoPlace("no-symbol", f"{there} has no function {symbol}", nearest(symbol, sorted(functions)))
    return UserPlace(there, functions[symbol] + offset)


def _candidates(name: str, arch: str) -> Iterator[str]:
    """Yields the paths that a name without a folder may stand for."""
    machine = {"arm64": "aarch64"}.get(arch, arch)
    for folder in FOLDERS:
        yield f"{folder}/{name}"
        if folder in ("/lib", "/usr/lib"):
            yield f"{folder}/{machine}-linux-gnu/{name}"


def _functions(content: bytes) -> Iterator[tuple[str, int]]:
    """Yields the functions of an ELF file with where they begin in it; nothing for what is none. What the dynamic
    linker sees comes last, so that it counts."""
    try:
        elf: Any = ELFFile(BytesIO(content))
        tables = [section for section in elf.iter_sections() if section["sh_type"] in ("SHT_SYMTAB", "SHT_DYNSYM")]
        for table in sorted(tables, key=lambda one: one["sh_type"] == "SHT_DYNSYM"):
            for symbol in table.iter_symbols():
                home = symbol["st_shndx"]
                if symbol["st_info"]["type"] in _CODE and isinstance(home, int):
                    section = elf.get_section(home)
                    yield symbol.name, symbol["st_value"] - section["sh_addr"] + section["sh_offset"]
    except Exception:  # pyelftools raises whatever its parser stumbles over
        return
