# SPDX-License-Identifier: MIT
"""The file with a kernel's own types for gdb, kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from harness.debug.dwarf import dwarf
from harness.objects.kernel_facts import KernelFacts
from hil import cache, directories
from hil.gdb import elf
from hil.kernels.kernel import Kernel

# Part of the names of cached files: increment it when the files would be written differently.
_FORMAT = 1
_FILE = "types.elf"


def type_file(kernel: Kernel, notify: Callable[[str], None] = lambda _: None) -> Path | None:
    """Returns an ELF file with the types of `kernel` as debug information; None when it has none (BTF)."""
    image = kernel.provenance["sha256"]["image"]
    key = hashlib.sha256(repr((_FORMAT, "types", image)).encode()).hexdigest()[:16]
    folder = directories.cache() / "symbols" / f"{kernel.name}-{kernel.arch}-{key}"
    if not folder.is_dir():
        types = KernelFacts.of(kernel, 1).types
        if types is None:
            return None
        with cache.locked(folder, notify=notify):
            if not folder.is_dir():
                notify("writing the kernel's types for gdb")
                content = elf.write(kernel.arch.elf_machine, (), (), dwarf(types).by_name())
                with cache.replaced(folder) as new:
                    (new / _FILE).write_bytes(content)
    return folder / _FILE
