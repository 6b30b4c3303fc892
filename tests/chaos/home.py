# SPDX-License-Identifier: MIT
"""Caches and state folders for trials: each has its own, with hard links to files that none of them changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hil import cache, directories
from hil.arch import architectures_with
from hil.machine.states import COLD

KERNEL = "debian-12"
ARCHITECTURES = tuple(arch.name for arch in architectures_with(KERNEL))


class Home:
    """The user's folders of one `hil`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.state = folder / "state"
        self.runtime = folder / "run"
        for path in (self.cache, self.state):
            (path / "hil").mkdir(parents=True, exist_ok=True)
        self.runtime.mkdir(mode=0o700, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """The campaign's environment with these folders, and without the user's settings of the bench."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("HIL_") or _kept(name)}
        return {
            **ours,
            COLD: "1",  # faults are injected into boots
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_STATE_HOME": str(self.state),
            "XDG_RUNTIME_DIR": str(self.runtime),
        }

    def remove(self) -> None:
        cache.remove(self.folder)


def _kept(name: str) -> bool:
    return name in ("HIL_DEBIAN_MIRROR", "HIL_TIME_SCALE")


def place() -> Path:
    """Make a folder for homes, with a short path, because paths of unix sockets are below it."""
    return Path(tempfile.mkdtemp(prefix="hil-chaos-", dir="/tmp"))


def seed(folder: Path) -> Home:
    """Make a home in which every architecture was run once, so that it has kernels, guest roots, agents and keys.

    The kernels are the user's own where they are in the cache; otherwise they are fetched.
    """
    home = Home(folder)
    for part in ("kernels/" + KERNEL, "debian"):
        if (directories.cache() / part).is_dir():
            link_tree(directories.cache() / part, home.cache / "hil" / part)
    lanes = ",".join(f"{KERNEL}/{arch}/interp" for arch in ARCHITECTURES)
    command = [sys.executable, "-m", "hil", "run", "--lanes", lanes, "--scripts", "lookup"]
    done = subprocess.run(command, env=home.environment, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise RuntimeError(f"a run without a fault fails on this host: {done.stdout}{done.stderr}")
    return home


def copy(original: Home, folder: Path) -> Home:
    """Make a copy of a home. A file in it must be changed with `alter`, because it is a hard link."""
    home = Home(folder)
    link_tree(original.cache / "hil", home.cache / "hil")
    shutil.copytree(original.state / "hil" / "keys", home.state / "hil" / "keys")
    return home


def link_tree(source: Path, target: Path) -> None:
    """Make hard links to all files below `source`, or copies where that is not possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=_link)


def alter(path: Path, data: bytes) -> None:
    """Replace a file by one with `data`; its other hard links keep the old content."""
    mode = path.stat().st_mode
    folder_mode = path.parent.stat().st_mode
    path.parent.chmod(0o755)
    fresh = path.with_name(f"{path.name}.altered")
    fresh.write_bytes(data)
    fresh.chmod(mode)
    fresh.replace(path)
    path.parent.chmod(folder_mode)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        shutil.copy2(source, target)
