# SPDX-License-Identifier: MIT
"""The plugin for the host's QEMU: compiled once for each interface, then taken from the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache as cached
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from hil import cache, directories, programs
from hil.arch import Architecture
from hil.errors import BenchError
from hil.symtab import symbols

SOURCE = Path(__file__).with_name("recorder.c")
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-fPIC", "-pthread", "-shared", "-fvisibility=hidden")
_COMPILER = "cc"
_ANY_PLUGIN = "qemu_plugin_register_vcpu_insn_exec_cb"


class NoRecorder(BenchError):
    """Nothing can be recorded with this host's QEMU or compiler."""


@dataclass(frozen=True)
class Interface:
    """A version of QEMU's plugin interface that the plugin is written for. A QEMU has it when its binary exports
    `needs`, and one of `one_of` if there are any. `how` says by what registers are read."""

    version: int
    needs: frozenset[str]
    one_of: frozenset[str]
    how: str


ARCHITECTURES = ("x86_64", "arm64")
"""Those whose registers recorder.c knows."""

# The newest first. https://www.qemu.org/docs/master/devel/tcg-plugins.html; version 4 came with QEMU 9.2. For QEMU 7.2,
# which has version 1, the plugin calls what the binary exports for all kinds of plugins and modules.
INTERFACES = (
    Interface(
        4,
        frozenset({"qemu_plugin_read_register", "qemu_plugin_read_memory_vaddr"}),
        frozenset(),
        "the interface's own functions",
    ),
    Interface(
        1,
        frozenset(
            {
                *("qemu_plugin_reset", "qemu_get_cpu", "cpu_memory_rw_debug"),
                *("cpu_breakpoint_insert", "cpu_breakpoint_remove_by_ref", "cpu_loop_exit_noexc", "async_run_on_cpu"),
            }
        ),
        frozenset({"x86_cpu_gdb_read_register", "aarch64_cpu_gdb_read_register"}),
        "functions inside of this QEMU; QEMU 10 (on Debian 12 from bookworm-backports) has an interface for them",
    ),
)


def interface(exported: Collection[str], qemu: str) -> Interface:
    """Returns the newest interface for a QEMU with these exported names; raises NoRecorder when there is none."""
    names = frozenset(exported)
    if _ANY_PLUGIN not in names:
        raise NoRecorder(
            f"{qemu} was built without plugins (TCG plugins), which the recorder needs",
            remedy="use Debian's QEMU, or build it with --enable-plugins",
        )
    for one in INTERFACES:
        if one.needs <= names and (not one.one_of or one.one_of & names):
            return one
    raise NoRecorder(
        f"{qemu} has plugins, but neither an interface by which they read registers nor the functions for it",
        remedy="install QEMU 10 (on Debian 12 from bookworm-backports), or Debian 12's own 7.2",
    )


def plugin(arch: Architecture) -> tuple[Path, Interface]:
    """Returns the plugin's file for the host's QEMU of an architecture, and the interface it is built for.

    Raises NoRecorder when QEMU has no plugins, or the compiler is missing or fails.
    """
    found = interface_of(programs.require(arch.qemu, arch.qemu_package).resolve())
    compiler = shutil.which(_COMPILER)
    if compiler is None:
        raise NoRecorder(
            "no C compiler for QEMU's plugin: cc is not installed", remedy="install the Debian package gcc"
        )
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    folder = directories.cache() / "recorder" / digest / f"api-{found.version}"
    file = folder / "recorder.so"
    cache.ensure(folder, lambda new: compile_plugin(compiler, new / file.name, found))
    return file, found


@cached
def interface_of(qemu: Path) -> Interface:
    """Returns the interface of a QEMU binary; raises NoRecorder as `interface`, or when it is no program."""
    try:
        with qemu.open("rb") as file:
            names = {name for name, *_ in symbols(ELFFile(file), ".dynsym")}
    except (OSError, ELFError, struct.error, ValueError) as error:
        raise NoRecorder(f"{qemu} cannot be read as a program: {error}", remedy="install QEMU again") from error
    return interface(names, str(qemu))


def compile_plugin(compiler: str, output: Path, chosen: Interface, *extra: str) -> None:
    """Compiles the plugin for an interface, with `extra` flags.

    Raises NoRecorder, with the compiler's messages, when that fails, or leaves no file.
    """
    command = [compiler, *FLAGS, *extra, f"-DAPI={chosen.version}", "-o", str(output), str(SOURCE)]
    done = programs.run(command, environment=os.environ)
    if done.returncode or not output.is_file():
        without = "" if done.returncode else " and without a file"
        raise NoRecorder(
            f"QEMU's plugin cannot be compiled: {compiler} ended with status {done.returncode}{without}",
            remedy="see its messages; a missing C library is in the package libc6-dev",
            details=done.stderr,
        )
