# SPDX-License-Identifier: MIT
"""The command lines of gdb, for sessions driven by a program and for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hil.arch import Architecture
from hil.gdb import mi
from hil.machine.process import require_program

GDB = "gdb-multiarch"
PACKAGE = "gdb-multiarch"

# The user's settings must not change what we see: no init files (-nx), no scripts beside symbol files, nothing from the
# network. gdb(1).
_ALONE = ("-nx", "-q", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off")


def require_gdb() -> None:
    """Raise BenchError, which names the package, when gdb is not installed."""
    require_program(GDB, PACKAGE)


def mi_command() -> list[str]:
    """The command for a session of ours: GDB/MI on standard input and output. Raises BenchError when gdb is not
    installed."""
    require_gdb()
    return [GDB, "--interpreter=mi3", *_ALONE]


def interactive_command(arch: Architecture, socket: Path, symbols: Path, breakpoints: Sequence[str] = ()) -> list[str]:
    """The command for people: gdb connected, with symbols, and `breakpoints` at the first instruction of functions.

    Raises BenchError when gdb is not installed.
    """
    require_gdb()
    commands = [
        "set confirm off",
        "set pagination off",
        f"set architecture {arch.gdb_architecture}",
        f"symbol-file {mi.quoted(str(symbols))}",
        f"target remote {socket}",
        *(f"hbreak *{name}" for name in breakpoints),
    ]
    return [GDB, *_ALONE, *(word for command in commands for word in ("-ex", command))]
