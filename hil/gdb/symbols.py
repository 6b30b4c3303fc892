# SPDX-License-Identifier: MIT
"""The symbol file of a kernel for gdb: its vmlinux, or one that is written from /proc/kallsyms of the running kernel.

Distributions ship vmlinux separately, in packages of hundreds of megabytes. kallsyms is enough for breakpoints and
backtraces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from hil import cache, directories
from hil.arch import Architecture
from hil.errors import UserError
from hil.gdb import elf, kallsyms
from hil.gdb.table import Symbol, SymbolTable
from hil.kernels import vmlinux
from hil.kernels.kernel import Kernel
from hil.target import Target, read_file

# Part of the names of cached files: increment it when the files would be written differently.
_FORMAT = 2

_FILE, _MODULES = "symbols.elf", "modules.elf"

# The symbols at the start and end of each section, from include/asm-generic/sections.h; the same from 4.1 to 7.2.
_TEXT = (("_stext", "_etext"), ("_sinittext", "_einittext"))


def symbol_file(kernel: Kernel, target: Target, *, notify: Callable[[str], None] = lambda _: None) -> Path:
    """An ELF file with the symbols of `kernel`, which runs on `target` (not stopped) at its linked addresses
    (`hil.machine.spec.NO_KASLR`).

    It is kept in the cache under a hash of what decides the addresses: the kernel's image, and the modules with their
    addresses. Raises BenchError when the guest's files cannot be read or show no addresses.
    """
    return kernel.vmlinux or _cached(kernel, target, notify) / _FILE


def module_file(kernel: Kernel, target: Target, *, notify: Callable[[str], None] = lambda _: None) -> Path:
    """An ELF file with the symbols of the modules alone, to be used beside a vmlinux; otherwise as `symbol_file`."""
    return _cached(kernel, target, notify) / _MODULES


def _cached(kernel: Kernel, target: Target, notify: Callable[[str], None]) -> Path:
    """The folder with both files."""
    modules = [line.split() for line in _read(target, "/proc/modules").splitlines()]
    placed = sorted((fields[0], fields[5]) for fields in modules)
    digest = hashlib.sha256(repr((_FORMAT, kernel.provenance["sha256"]["image"], placed)).encode()).hexdigest()
    folder = directories.cache() / "symbols" / f"{kernel.name}-{kernel.arch}-{digest[:16]}"
    if not folder.is_dir():
        with cache.locked(folder, notify=notify):
            if not folder.is_dir():
                notify("reading the kernel's symbols")
                symbols = tuple(kallsyms.parse(_read(target, "/proc/kallsyms")))
                with cache.replaced(folder) as new:
                    (new / _FILE).write_bytes(render(kernel.arch, symbols))
                    (new / _MODULES).write_bytes(render(kernel.arch, [one for one in symbols if one.module]))
    return folder


def check_build(file: Path, kernel: Kernel, target: Target) -> None:
    """Raises UserError when a vmlinux is of another build than the kernel that runs on `target`, as far as both tell by
    their build IDs."""
    notes = read_file(target, "/sys/kernel/notes", remedy="was its kernel built with CONFIG_SYSFS?")
    ids = vmlinux.build_id(file), vmlinux.build_id_of(notes)
    if all(ids) and ids[0] != ids[1]:
        raise UserError(
            f"{file} is of another build than {kernel}: its build ID is {ids[0]}, the kernel's {ids[1]}",
            remedy="import the kernel again, with the vmlinux of the same build",
        )


def render(arch: Architecture, symbols: Sequence[Symbol]) -> bytes:
    """The content of an ELF file with `symbols`; the size of a symbol is the distance to the next one of its
    section."""
    sections = list(_sections(symbols))
    return elf.write(arch.elf_machine, sections, _entries(symbols, sections))


def _read(target: Target, path: str) -> str:
    return read_file(target, path, remedy="was its kernel built with CONFIG_KALLSYMS?").decode(errors="replace")


def _sections(symbols: Sequence[Symbol]) -> Iterator[elf.Section]:
    """The sections of the kernel's text, and for each module one that covers its functions."""
    table = SymbolTable(symbol for symbol in symbols if symbol.module is None)
    for name, (first, last) in zip((".text", ".init.text"), _TEXT, strict=True):
        start, end = table.address(first), table.address(last)
        if start is not None and end is not None and start < end:
            yield elf.Section(name, start, end, executable=True)
    functions: dict[str, list[int]] = {}
    for symbol in symbols:
        if symbol.module and symbol.function and symbol.address:
            functions.setdefault(symbol.module, []).append(symbol.address)
    for module, addresses in functions.items():
        # The end of the last function is unknown, but it is not beyond the module's last page.
        yield elf.Section(f".text.{module}", min(addresses), (max(addresses) | 0xFFF) + 1, executable=True)


def _entries(symbols: Iterable[Symbol], sections: Sequence[elf.Section]) -> Iterator[elf.Entry]:
    ordered = sorted({symbol.address for symbol in symbols} | {section.end for section in sections})
    following = dict(pairwise(ordered))
    for symbol in symbols:
        size = following.get(symbol.address, symbol.address) - symbol.address
        # Absolute symbols (the offsets of per-CPU variables) lie far from any neighbour.
        yield elf.Entry(symbol.name, symbol.address, size if size < _LARGEST else 0, symbol.function)


# No symbol of a kernel is larger; a larger distance is a gap between regions. Bytes.
_LARGEST = 1 << 24
