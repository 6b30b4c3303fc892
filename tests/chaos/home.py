# SPDX-License-Identifier: MIT
"""Caches and states for trials: each has its own, and what none of them alters is there once, by hard links."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hil import cache, directories
from hil.arch import architectures_with

KERNEL = "debian-12"
ARCHITECTURES = tuple(arch.name for arch in architectures_with(KERNEL))


class Home:
    """The folders one `hil` calls its user's."""

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
        """The campaign's own, with these folders, and nothing of the user's that says otherwise."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("HIL_") or _kept(name)}
        return {
            **ours,
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_STATE_HOME": str(self.state),
            "XDG_RUNTIME_DIR": str(self.runtime),
        }

    def remove(self) -> None:
        cache.remove(self.folder)


def _kept(name: str) -> bool:
    return name in ("HIL_DEBIAN_MIRROR", "HIL_TIME_SCALE")


def place() -> Path:
    """A new folder for homes; short, because paths of unix sockets go below it."""
    return Path(tempfile.mkdtemp(prefix="hil-chaos-", dir="/tmp"))


def seed(folder: Path) -> Home:
    """A home that has served every architecture once: kernels, guest roots and agents are made, and so are its keys.

    The kernels are the user's own where they are at hand; otherwise they are fetched.
    """
    home = Home(folder)
    for part in ("kernels/" + KERNEL, "debian"):
        if (directories.cache() / part).is_dir():
            link_tree(directories.cache() / part, home.cache / "hil" / part)
    lanes = ",".join(f"{KERNEL}/{arch}/interp" for arch in ARCHITECTURES)
    command = [sys.executable, "-m", "hil", "run", "--lanes", lanes, "--scripts", "lookup"]
    done = subprocess.run(command, env=home.environment, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise RuntimeError(f"not even an undisturbed run works here: {done.stdout}{done.stderr}")
    return home


def copy(original: Home, folder: Path) -> Home:
    """A home like another one. What is altered there must be another file first: see `alter`."""
    home = Home(folder)
    link_tree(original.cache / "hil", home.cache / "hil")
    shutil.copytree(original.state / "hil" / "keys", home.state / "hil" / "keys")
    return home


def link_tree(source: Path, target: Path) -> None:
    """Hard links to all below `source`; copies where they cannot be made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=_link)


def alter(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file whose other names keep what they have."""
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
