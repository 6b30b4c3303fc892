# SPDX-License-Identifier: MIT
"""Files to and from a target, as one tar archive through a command's standard input or output.

Every target has tar (busybox has one); owner and times of what is copied are not kept.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from hil.errors import BenchError, UserError
from hil.target import Completed

FULL = "No space left on device"
_SECONDS = 120.0
"""Nominal seconds for a copy, to which those for its bytes are added."""
_PER_SECOND = 1 << 20
"""The least bytes in a nominal second: an emulated guest decrypts all of them."""


class Runs(Protocol):
    """What runs commands: a target (`hil.target.Target`), or an SSH connection to one."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed: ...


def to_target(target: Runs, files: Mapping[str, Path], folder: str) -> None:
    """Copies files and folders of this host into `folder` on the target, by their names there.

    Raises UserError when one does not exist or cannot be read, or when they do not fit on the target.
    """
    content = archive(files)
    seconds = _SECONDS + len(content) / _PER_SECOND
    done = target.run(["tar", "-x", "-f", "-", "-C", folder], stdin=content, timeout=seconds)
    if done.status:
        said = done.stderr.decode(errors="replace").strip()
        if FULL in said:
            raise UserError(
                f"there is no space for {', '.join(files)} ({len(content) / 1e6:.1f} MB) in the target's {folder}",
                remedy="give a guest more memory with --memory, or make room on a board",
            )
        raise BenchError(f"cannot copy {', '.join(files)} to {folder} on the target", remedy=said)


def from_target(target: Runs, paths: Sequence[str], folder: Path) -> list[str]:
    """Copies files and folders of the target into `folder` under their last names; returns the paths that are not
    there, or are no file, folder or link within it."""
    missing = []
    for path in paths:
        place = PurePosixPath(path)
        argv = ["tar", "-c", "-h", "-f", "-", "-C", str(place.parent), f"./{place.name}"]
        done = target.run(argv, timeout=_SECONDS * 4)
        if done.status:
            missing.append(path)
            continue
        left: list[str] = []
        try:
            with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
                tar.extractall(folder, filter=partial(_harmless, left))
        except (tarfile.TarError, OSError) as error:
            raise BenchError(f"cannot copy {path} to {folder}: {error}", remedy="see both places") from error
        missing += [str(place.parent / name) for name in left]
    return missing


def _harmless(left: list[str], member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Refuses what would land outside of the folder, as a guest is not to be trusted; leaves out devices and pipes."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.SpecialFileError:
        left.append(member.name)
        return None


def name_of(path: Path) -> str:
    """Returns the last name of a path as it is written, also of a link; where it is written as `.` or `..`, that of the
    folder."""
    return path.resolve().name if path.name in ("", "..") else path.name


def named(paths: Iterable[Path]) -> dict[str, Path]:
    """Returns files and folders of this host by their names; raises UserError for two of one name."""
    files: dict[str, Path] = {}
    for path in paths:
        name = name_of(path)
        if not name:
            raise UserError(f"{path} has no name to copy it to", remedy="name a file or folder in it")
        if name in files:
            raise UserError(f"{files[name]} and {path} have the same name {name}", remedy="copy one after the other")
        files[name] = path
    return files


def archive(files: Mapping[str, Path]) -> bytes:
    """Returns a tar archive with files and folders of this host by their names in it, of a link what it leads to;
    raises UserError for one that cannot be read."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in files.items():
            try:
                tar.add(os.path.realpath(path, strict=True), name, filter=_owned_by_root)
            except OSError as error:
                raise UserError(f"cannot read {path}: {error.strerror}", remedy="name a file that exists") from error
    return made.getvalue()


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    return member
