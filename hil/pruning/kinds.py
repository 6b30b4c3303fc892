# SPDX-License-Identifier: MIT
"""What is kept, by kind, and how much it takes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hil import directories


@dataclass(frozen=True)
class Kind:
    """Files below one folder: what they are, and what follows when they are removed. An entry is a folder or file
    `levels` below."""

    name: str
    what: str
    again: str
    levels: int = 1


CACHED = (
    Kind("kernels", "kernels, with their modules", "fetched again; imported ones are lost", levels=2),
    Kind("states", "saved machines", "saved again at the next boot"),
    Kind("guestroots", "initramfs archives", "built again in a fraction of a second"),
    Kind("disks", "root file systems for hil exec --root", "built again from Debian's packages"),
    Kind("debian", "package lists, and packages", "fetched again"),
    Kind("objects", "packages with BPF objects, for make objects", "fetched again"),
    Kind("symbols", "symbols and types of kernels, for gdb and lockstep", "read from a machine again"),
    Kind("debug-symbols", "vmlinux with debug information", "fetched again by hil debug --debug-symbols"),
    Kind("sources", "sources of kernels", "fetched again by hil kernels build"),
    Kind("userland", "programs of guests", "fetched again"),
    Kind("agent", "the agent by architecture", "compiled again"),
    Kind("recorder", "the plugin for QEMU, for lockstep", "compiled again"),
    Kind("answers", "answers of kernels in hil bisect", "asked again"),
)
"""The folders of the cache by their names: everything in them can be made again but imported kernels."""
_LOST, _PRUNED = "lost for good", "hil cache prune removes old ones"
KEPT = (
    Kind("runs", "run folders", f"{_LOST}; results stay in the history; {_PRUNED}"),
    Kind("debug", "run folders of hil debug", f"{_LOST}; {_PRUNED}"),
    Kind("campaigns", "what workers of dask found", "the run folder of the campaign has it as well"),
    Kind("builds", "logs of hil kernels build", _LOST),
    Kind("guestroots", "initramfs archives, where the cache is read-only", "built again in a fraction of a second"),
    Kind("machines", "records and logs of machines that stay up", _LOST),
    Kind("plugin", "logs of hil plugin's machines", _LOST),
    Kind("boards", "what boards were like before a run", _LOST),
    Kind("keys", "SSH keys of guests", "made anew; saved machines are then lost"),
    Kind("history.sqlite", "the history of runs", _LOST),
)
"""The folders and files of the state by their names, which must last."""


@dataclass(frozen=True)
class Usage:
    """How many entries a kind has, and the bytes they take on the disk."""

    kind: Kind
    folder: Path
    entries: int
    size: int


def usage() -> Iterator[Usage]:
    """Yields what each kind takes, those that there are."""
    seen: set[tuple[int, int]] = set()
    for parent, kinds in ((directories.cache(), CACHED), (directories.state(), KEPT)):
        for kind in kinds:
            folder = parent / kind.name
            if folder.exists():
                yield Usage(kind, folder, len(_below(folder, kind.levels)), size(folder, seen))


def _below(folder: Path, levels: int) -> list[Path]:
    found = entries(folder)
    return found if levels == 1 else [one for path in found for one in _below(path, levels - 1)]


def entries(folder: Path) -> list[Path]:
    """What is in a folder without locks and other hidden files, by name; a file alone is one entry."""
    if not folder.is_dir():
        return [folder] if folder.exists() else []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_symlink())


def size(path: Path, seen: set[tuple[int, int]] | None = None) -> int:
    """The bytes that a file or folder takes on the disk; files with several names, which are in `seen`, count once.
    What another process removes meanwhile counts as nothing."""
    seen = set() if seen is None else seen
    total = 0
    for one in (path, *(Path(parent, name) for parent, _, names in os.walk(path) for name in names)):
        try:
            about = one.lstat()
        except FileNotFoundError:
            continue
        identity = about.st_dev, about.st_ino
        if stat.S_ISREG(about.st_mode) and identity not in seen:
            seen.add(identity)
            total += about.st_blocks * 512
    return total
