# SPDX-License-Identifier: MIT
"""Saved states of booted machines, from which later ones are restored instead of booted.

A state is what QEMU writes when it migrates a machine to a file, with what the console printed until then. It is kept
in the cache under a key of everything that it depends on, so that one which does not fit is never found; what does not
load nevertheless is for the caller to discard. A state is saved before anything of a user has run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as cached
from pathlib import Path
from typing import TYPE_CHECKING

from hil import cache, directories, programs
from hil.digest import sha256
from hil.errors import MachineLost
from hil.machine import accelerator, transport
from hil.machine.accelerator import KVM, Accelerator
from hil.machine.command import AGENT_ADDRESS, qemu_command
from hil.machine.spec import MachineSpec

if TYPE_CHECKING:
    from hil.machine.machine import Machine

_log = logging.getLogger(__name__)

COLD = "HIL_COLD"
"""The environment variable that, when it is set and not 0, turns states off."""
LIMIT = 4 << 30
"""The bytes of all states together, beyond which those that were used least recently are removed."""
STATE = "state"
"""The name of QEMU's file in the folder of a state."""
CONSOLE = "console.log"
"""The name of the console's output until the state was saved."""

_FORMAT = 1
"""Grows when states of an older bench do not fit although their key would be the same."""


@dataclass(frozen=True)
class State:
    """A saved state: its folder, the bytes that it takes, and when it was used last, in seconds of the epoch."""

    folder: Path
    size: int
    used: float


def wanted() -> bool:
    """Whether machines may be restored and saved: unless HIL_COLD is set."""
    return os.environ.get(COLD, "0") in ("", "0")


def find(spec: MachineSpec) -> Path | None:
    """The folder of the state that the machine can be restored from; None when there is none. Its files are not
    checked."""
    folder = folder_of(spec)
    if not folder.exists():
        return None
    try:
        os.utime(folder)
    except OSError as error:  # read-only; then nothing is removed there either
        _log.debug("%s: %s", folder, error)
    return folder


def keep(machine: Machine, *, notify: Callable[[str], None]) -> None:
    """Save a machine that has just booted, unless its state exists; the machine goes on. Where the cache cannot be
    written that is told, and nothing is kept. Raises MachineLost when the machine ends."""
    if machine.console.first_trouble:
        notify(f"the machine is not saved for later ones: it printed {machine.console.first_trouble!r}")
        return
    folder = folder_of(machine.spec)
    try:
        with cache.locked(folder):
            if folder.exists():
                return
            cache.ensure_room(folder.parent, machine.spec.memory << 20)
            with cache.replaced(folder) as new:
                machine.save(new / STATE)
                shutil.copyfile(machine.spec.console_log, new / CONSOLE)
        _limit(folder, notify)
    except (cache.Unusable, MachineLost) as error:
        if not machine.alive:
            raise
        notify(f"the machine is not saved for later ones: {error}")


def discard(folder: Path) -> None:
    """Remove a state that is damaged, does not load or is no longer wanted; harmless when another process did. Raises
    Unusable when the cache cannot be written."""
    with cache.locked(folder), cache.writing(folder):
        cache.remove_with_lock(folder)


def clear() -> None:
    """Remove what killed processes left when they saved a machine. Raises Unusable when the cache cannot be written."""
    for path, folder in cache.left_overs(_parent()):
        with cache.locked_at_once(folder) as ours:
            if ours:
                cache.remove(path)


def states() -> list[State]:
    """Every state in the cache, the one that was used last first."""
    found = []
    for path in filter(Path.is_dir, _parent().glob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            found.append(State(path, sum(file.stat().st_size for file in path.iterdir()), path.stat().st_mtime))
    return sorted(found, key=lambda state: -state.used)


def copy_console(state: Path, log: Path) -> int:
    """Begin a console log with what was printed before the state was saved; returns its length in bytes."""
    with cache.reading(state / CONSOLE):
        return log.write_bytes((state / CONSOLE).read_bytes())


def folder_of(spec: MachineSpec) -> Path:
    """The folder of the state of such machines: by name, and by a key of the kernel, the guest root with the agent,
    QEMU's binary and command line but for a plugin, which is no part of a state, and with KVM the host's CPU and
    kernel."""
    arch = spec.kernel.arch
    chosen = accelerator.of(spec)
    parts = {
        "format": _FORMAT,
        "command": qemu_command(spec, chosen, transport.choose(spec.kernel)),
        "agent": AGENT_ADDRESS,
        "kernel": _hash(spec.kernel.image),
        "root": _hash(spec.root.initramfs),
        "qemu": _hash(programs.require(arch.qemu, arch.qemu_package)),
        "host": _host(chosen),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return _parent() / f"{spec.kernel.name}-{arch}-{key[:16]}"


def _hash(path: Path) -> str:
    about = path.stat()
    return _digest(path, (about.st_size, about.st_mtime_ns))


@cached
def _digest(path: Path, _identity: tuple[int, int]) -> str:
    """The hash of a file, which is read again when its size or time differs."""
    return sha256(path)


def _host(chosen: Accelerator) -> list[str]:
    """What else of this host a state depends on: with TCG nothing, since its CPU is QEMU's own."""
    if chosen is not KVM:
        return []
    cpu = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    return [platform.release(), *(line for line in cpu if "MHz" not in line)]


def _parent() -> Path:
    return directories.cache() / "states"


def _limit(newest: Path, notify: Callable[[str], None]) -> None:
    """Remove what is left over, and the states that were used least recently while all are larger than LIMIT."""
    clear()
    total, removed = 0, []
    for state in states():
        total += state.size
        if total > LIMIT and state.folder != newest:
            total -= state.size
            removed.append(state.folder.name)
            discard(state.folder)
    if removed:
        notify(
            f"removed {len(removed)} saved machines, as all were larger than {LIMIT >> 30} GiB: {', '.join(removed)}"
        )
