# SPDX-License-Identifier: MIT
"""The command lines of gdb, for sessions driven by a program and for people."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from hil import programs
from hil.arch import Architecture
from hil.errors import BenchError
from hil.gdb import mi
from hil.machine.tied import tied

GDB = "gdb-multiarch"
PACKAGE = "gdb-multiarch"
_PYTHON = (3, 11)
_MARK = "hil:"

# The user's settings must not change what we see: no init files (-nx), no scripts beside symbol files, nothing from the
# network. gdb(1).
_ALONE = ("-nx", "-q", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off")


def require_gdb() -> None:
    """Raise BenchError, which names the package, when gdb is not installed."""
    programs.require(GDB, PACKAGE)


def mi_command() -> list[str]:
    """The command for a session of ours: GDB/MI on standard input and output. Raises BenchError when gdb is not
    installed."""
    require_gdb()
    return [GDB, "--interpreter=mi3", *_ALONE]


def require_python() -> None:
    """Raise BenchError when gdb is not installed, or cannot run scripts in a Python that is new enough for ours."""
    require_gdb()
    done = subprocess.run(
        tied([GDB, *_ALONE, "-batch", "-ex", f"python import sys; print({_MARK!r}, sys.version_info >= {_PYTHON})"]),
        capture_output=True,
        text=True,
        check=False,
    )
    if f"{_MARK} True" not in done.stdout:
        version = ".".join(map(str, _PYTHON))
        raise BenchError(
            f"{GDB} has no Python, or one before {version}, so that it cannot load commands",
            remedy=f"install a {GDB} with Python: apt-get install {PACKAGE}",
            details=done.stderr.strip(),
        )


def loading(symbols: Sequence[Path]) -> list[str]:
    """The commands that make a gdb read symbols, of the kernel first, whose addresses are those in memory."""
    first, *others = (mi.quoted(str(path)) for path in symbols)
    return [f"symbol-file {first}", *(f"add-symbol-file {other}" for other in others)]


def connecting(arch: Architecture, target: str, symbols: Sequence[Path]) -> list[str]:
    """The commands that connect a gdb to a guest: `target` is a socket's path, or HOST:PORT, and `symbols` as for
    `loading`."""
    return [
        "set confirm off",
        "set pagination off",
        f"set architecture {arch.gdb_architecture}",
        *loading(symbols),
        f"target remote {target}",
    ]


def interactive_command(
    arch: Architecture,
    socket: Path,
    symbols: Sequence[Path],
    breakpoints: Sequence[str] = (),
    *,
    scripts: Sequence[Path] = (),
    init: Path | None = None,
) -> list[str]:
    """The command for people: gdb connected, with symbols, `breakpoints` at the first instruction of functions, and
    `scripts` of gdb's commands that are run then. The user's own settings are in `init`, if anywhere.

    Raises BenchError when gdb is not installed.
    """
    require_gdb()
    own = [] if init is None else ["-ix", str(init)]
    commands = [*connecting(arch, str(socket), symbols), *(f"hbreak *{name}" for name in breakpoints)]
    run = [word for command in commands for word in ("-ex", command)]
    return [GDB, *_ALONE, *own, *run, *(word for script in scripts for word in ("-x", str(script)))]
