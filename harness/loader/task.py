# SPDX-License-Identifier: MIT
"""What a user asks to run: a command, the files that go with it, the files that are wanted back."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from harness.script.operations import Script
from hil.arch import Architecture
from hil.copying import name_of
from hil.errors import UserError

FOLDER = "/hil"
"""Where in the guest the files are, and the command runs."""
_LONGEST_SCRIPT_LINE = 256
"""BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h."""
_FIELD = re.compile(r"\{(arch|debian)\}")


@dataclass(frozen=True)
class Task:
    """A command for one architecture. `files` are copied to FOLDER under their names; `interpreter` is what its program
    needs to start, empty where that is static or not one of the files."""

    name: str
    """The name in reports, the same on every architecture."""
    argv: tuple[str, ...]
    files: Mapping[str, Path]
    fetch: tuple[str, ...]
    interpreter: str = ""

    def __str__(self) -> str:
        return shlex.join(self.argv)


class Named(Script):
    """The script that stands for a task in plans and reports; it has no operations."""

    def __post_init__(self) -> None:
        pass


def task(argv: Sequence[str], files: Iterable[str], fetch: Iterable[str], arch: Architecture, *, root: bool) -> Task:
    """Returns the task for `arch`, in whose paths `{arch}` and `{debian}` are its names (x86_64 and amd64).

    The first word is a file of this host when it has a slash and there is such a file; otherwise it is a command of the
    guest. `files` are written PATH or PATH:NAME. Raises UserError for a file that does not exist, and for a program of
    another architecture; `root` says whether the guest gets a root file system, in which an absolute path may be.
    """
    words = [_filled(word, arch) for word in argv]
    if not words[0]:
        raise UserError("the command has no name", remedy="write hil exec -- COMMAND")
    chosen: dict[str, Path] = {}
    for given in files:
        source, _, name = _filled(given, arch).partition(":")
        if not source:
            raise UserError(f"--file {given!r} names no file", remedy="write PATH or PATH:NAME")
        _choose(chosen, Path(source), name or name_of(Path(source)))
    program, interpreter = words[0], ""
    if "/" in program:
        path = Path(program)
        if path.is_file():
            if not os.access(path, os.X_OK):
                raise UserError(f"{path} is not executable", remedy=f"chmod +x {shlex.quote(str(path))}")
            interpreter = _checked(path, arch)
            _choose(chosen, path, path.name)
            words[0] = f"./{path.name}"
        elif not (root and path.is_absolute()):
            raise UserError(
                f"there is no file {program} on this host",
                remedy="name a program here, a command of the guest without a slash, or one of --root by its full path",
            )
    name = PurePosixPath(argv[0]).name
    return Task(name, tuple(words), chosen, _fetched([_filled(path, arch) for path in fetch]), interpreter)


def _fetched(paths: Sequence[str]) -> tuple[str, ...]:
    """Returns the paths of the guest; raises UserError for one without a name, and for two with the same last name,
    which would be one file here."""
    names: dict[str, str] = {}
    for path in paths:
        name = PurePosixPath(path).name
        if name in ("", ".."):
            raise UserError(f"--fetch {path!r} names no file of the guest", remedy="name a file or a folder")
        if names.setdefault(name, path) != path:
            raise UserError(
                f"--fetch {names[name]} and {path} have the same name {name}", remedy="fetch the folder of one of them"
            )
    return tuple(dict.fromkeys(paths))


def _choose(chosen: dict[str, Path], path: Path, name: str) -> None:
    if not path.exists():
        raise UserError(f"there is no file {path} on this host", remedy="name a file or folder that exists")
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or not place.parts or place.parts[0] == ".hil":
        raise UserError(f"{name!r} is no name below {FOLDER}", remedy="write PATH:NAME with a relative name")
    if chosen.get(name, path) != path:
        raise UserError(
            f"{chosen[name]} and {path} have the same name {name}", remedy="write PATH:NAME for one of them"
        )
    chosen[name] = path


def _checked(path: Path, arch: Architecture) -> str:
    """Returns the interpreter that a program or a script names; raises UserError when it is for another
    architecture."""
    try:
        with path.open("rb") as file:
            head = file.readline(_LONGEST_SCRIPT_LINE)
            if head.startswith(b"#!"):
                return next((word for word in head[2:].decode(errors="replace").split()[:1] if word[0] == "/"), "")
            if not head.startswith(b"\x7fELF"):
                return ""
            file.seek(0)
            elf = ELFFile(file)
            machine = str(elf["e_machine"])
            if machine != arch.elf_machine:
                raise UserError(
                    f"{path} is a program for {machine.removeprefix('EM_')}, and the lane is {arch}",
                    remedy=f"choose other lanes, or build it for {arch} and write {{arch}} in its path",
                )
            loaders = [one.get_interp_name() for one in elf.iter_segments() if isinstance(one, InterpSegment)]
            return "".join(loaders)
    except ELFError as error:
        raise UserError(f"{path} is a damaged ELF file: {error}", remedy="build it again") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _filled(text: str, arch: Architecture) -> str:
    return _FIELD.sub(lambda match: arch.name if match[1] == "arch" else arch.debian, text)
