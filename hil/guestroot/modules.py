# SPDX-License-Identifier: MIT
"""The kernel modules that a guest needs, and the order of loading them.

Each module lists its dependencies in its section `.modinfo` (written by add_depends, scripts/mod/modpost.c). depmod
reads the same; reading the few modules that are needed is faster than a depmod over all, and needs no kmod on the host.

Signatures are kept. Checking one costs the guest about ten million instructions, four fifths of the cost of our init,
but a module without one taints the kernel (E), and the kernel under test should be the one that Debian runs.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from hil import cache
from hil.errors import BenchError
from hil.guestroot.recipe import Driver
from hil.kernels import configuration
from hil.kernels.kernel import Kernel


@dataclass(frozen=True)
class Module:
    """A module; `data` is the uncompressed file for insmod(8). Names, also those in `depends`, have no dashes."""

    name: str
    depends: tuple[str, ...]
    data: bytes


def needed(kernel: Kernel, drivers: Iterable[Driver]) -> list[Module]:
    """The modules of `kernel` for `drivers`, each after its dependencies; empty when all drivers are built in.

    Raises BenchError when the kernel lacks a required driver, or a module that its configuration has is missing.
    """
    built = configuration.options_of(kernel.config)
    names = []
    for driver in drivers:
        state = built.get(driver.option, "n")
        if state == "m":
            names.append(driver.module)
        elif state != "y" and driver.required:
            raise BenchError(
                f"{kernel} has no driver {driver.module}: {driver.option} is off in its configuration",
                remedy=f"build it with {driver.option}=y and import it again",
            )
    return _in_order(kernel, names) if names else []


def dependency_file(modules: Iterable[Module]) -> bytes:
    """The content of modules.dep(5) for a folder with `modules`, which are in the order of `needed`.

    A line names all direct and indirect dependencies of a module, the first to load at the end, as modprobe expects.
    """
    known: dict[str, set[str]] = {}
    lines = []
    for module in modules:
        below = set(module.depends).union(*(known[name] for name in module.depends))
        backwards = [name for name in reversed(known) if name in below]
        lines.append(f"{module.name}.ko:" + "".join(f" {name}.ko" for name in backwards) + "\n")
        known[module.name] = below
    return "".join(lines).encode()


def _in_order(kernel: Kernel, names: Iterable[str]) -> list[Module]:
    files = _files(kernel)
    done: dict[str, Module] = {}

    def visit(name: str) -> None:
        if name in done:
            return
        if name not in files:
            raise BenchError(
                f"{kernel} has no module {name}, which its configuration has as =m",
                remedy="fetch or import the kernel again, with its modules",
            )
        module = _read(name, files[name])
        for dependency in module.depends:
            visit(dependency)
        done[name] = module

    for name in names:
        visit(name)
    return list(done.values())


def _files(kernel: Kernel) -> dict[str, Path]:
    """The file of every module by name. A dash in a name is equivalent to an underscore, see modprobe(8)."""
    if kernel.modules is None:
        return {}
    folder = kernel.modules / "lib" / "modules" / kernel.release
    return {path.name.partition(".")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}


def _read(name: str, path: Path) -> Module:
    with cache.reading(path):
        raw = path.read_bytes()
    try:
        data = _DECOMPRESS[path.suffix](raw)
        depends = _depends(data)
    except (KeyError, OSError, EOFError, lzma.LZMAError, ELFError) as error:
        raise BenchError(
            f"{path} is not a readable kernel module ({error})", remedy="fetch the kernel again"
        ) from error
    return Module(name, depends, data)


def _depends(data: bytes) -> tuple[str, ...]:
    """The names after `depends=` in .modinfo, a sequence of NUL-terminated strings."""
    section = ELFFile(io.BytesIO(data)).get_section_by_name(".modinfo")
    if section is None:
        raise ELFError("no section .modinfo")
    names = re.search(rb"(?:^|\0)depends=([^\0]*)", section.data())
    return tuple(names[1].decode().replace("-", "_").split(",")) if names and names[1] else ()


def _unzstd(data: bytes) -> bytes:
    """Decompress by the program zstd, because Python has a module for it only since 3.14."""
    try:
        return subprocess.run(["zstd", "--decompress", "--stdout"], input=data, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise BenchError("the kernel's modules are compressed with zstd", remedy="install the program zstd") from None
    except subprocess.CalledProcessError as error:
        raise OSError(error.stderr.decode(errors="replace").strip()) from None


_DECOMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".zst": _unzstd,
}
