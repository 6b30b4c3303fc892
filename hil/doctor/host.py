# SPDX-License-Identifier: MIT
"""What else a host decides: virtualization, speed, memory, its folders, its variables."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from hil import directories, settings
from hil.arch import architectures
from hil.doctor.finding import Finding, State, failed
from hil.errors import HilError
from hil.machine import accelerator, speed

LEAST_ROOM, ENOUGH_ROOM = 1 << 30, 6 << 30
"""Bytes of the cache's disk: for one kernel, its guest root and its saved machines; for a few, and all saved
machines."""
LEAST_MEMORY = 1 << 30
"""Bytes of memory for a guest of 512 MiB, its QEMU and the bench."""
SLOW = 3.0
"""The factor by which this host is slower than the one that times in the documentation are from, from which on that is
worth a word."""


def virtualization(
    device: Path = Path("/dev/kvm"), machine: str = platform.machine(), cpuinfo: Path = Path("/proc/cpuinfo")
) -> Finding:
    """Whether guests of this host's own architecture run on its CPU."""
    subject = "KVM"
    own = next((arch for arch in architectures().values() if machine.lower() in arch.host_machines), None)
    if own is None:
        return Finding(subject, State.WARNING, f"no kernels are for {machine}: all are translated", "use an x86 or ARM")
    if (wanted := accelerator.wanted()) is not None:
        return Finding(subject, State.OK, f"HIL_ACCELERATOR={wanted.name} decides")
    if accelerator.kvm_usable(own, machine=lambda: machine, device=device, cpuinfo=cpuinfo):
        return Finding(subject, State.OK, f"used for {own}; other architectures are translated (TCG)")
    slow = f"guests of {own} are translated (TCG), which is slower"
    if not device.exists():
        remedy = "enable virtualization in the firmware, `modprobe kvm`; pass /dev/kvm to a container"
        return Finding(subject, State.WARNING, f"{device} does not exist: {slow}", remedy)
    if not os.access(device, os.R_OK | os.W_OK):
        remedy = 'sudo usermod -aG kvm "$USER", then log in again'
        return Finding(subject, State.WARNING, f"{device} may not be opened: {slow}", remedy)
    remedy = "enable nested virtualization for this virtual machine"
    return Finding(subject, State.WARNING, f"the CPU has none of {', '.join(own.kvm_flags)}: {slow}", remedy)


def pace(slowness: float | None = None) -> Finding:
    """How fast this host is, compared with the one that deadlines were chosen on."""
    factor = speed.slowness() if slowness is None else slowness
    load = os.getloadavg()[0]
    what = f"{factor:.1f} times the time of the reference host; {os.cpu_count()} CPUs, load {load:.1f}"
    if factor < SLOW:
        return Finding("speed", State.OK, what)
    return Finding("speed", State.WARNING, what, "end what else runs here; deadlines are lengthened by themselves")


def memory(meminfo: Path = Path("/proc/meminfo")) -> Finding:
    """Whether a guest fits into the memory that is available."""
    rows = dict(line.partition(":")[::2] for line in meminfo.read_text().splitlines())
    available = int((rows.get("MemAvailable") or rows["MemFree"]).split()[0]) << 10
    what = f"{_size(available)} available"
    if available >= LEAST_MEMORY:
        return Finding("memory", State.OK, what)
    return Finding("memory", State.ERROR, what, f"free {_size(LEAST_MEMORY)}; with --jobs 1 one guest runs at a time")


def folders() -> Iterator[Finding]:
    """Yields for the cache and the folder of the state whether they can be written, and their room."""
    for subject, folder, variable in (
        ("cache", directories.cache(), "XDG_CACHE_HOME"),
        ("state", directories.state(), "XDG_STATE_HOME"),
    ):
        yield room(subject, folder, variable)


def room(subject: str, folder: Path, variable: str) -> Finding:
    """Whether `folder` can be made and written, and what is left on its disk."""
    elsewhere = f"set {variable} to another folder"
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        what = f"{existing} cannot be written: {error.strerror}"
        return Finding(subject, State.ERROR, what, f"make it writable for this user, or {elsewhere}")
    what = f"{folder}, {_size(free)} free"
    if free < LEAST_ROOM:
        return Finding(subject, State.ERROR, what, f"free {_size(LEAST_ROOM)} (`hil cache prune`), or {elsewhere}")
    if free < ENOUGH_ROOM:
        what += f"; saved machines and several kernels take {_size(ENOUGH_ROOM)}"
        return Finding(subject, State.WARNING, what, f"`hil cache prune`, or {elsewhere}")
    return Finding(subject, State.OK, what)


def variables(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Yields the variables whose values mean nothing, and those that look like a mistyped one; else those that are
    set."""
    near = [(name, meant) for name in sorted(environment) if (meant := _meant(name))]
    for name, meant in near:
        yield Finding("variables", State.WARNING, f"{name} means nothing", f"did you mean {meant}?")
    try:
        settings.check()
    except HilError as error:
        yield failed("variables", error)
    else:
        if not near:
            given = [name for name in settings.VARIABLES if environment.get(name)]
            yield Finding("variables", State.OK, f"{', '.join(given) or 'none'} set")


def _meant(name: str) -> str:
    """The variable that `name` is a mistyped form of; empty when it is right, or like none."""
    if not name.startswith("HIL_") or name in settings.VARIABLES:
        return ""
    return next(iter(get_close_matches(name, settings.VARIABLES, 1, cutoff=0.8)), "")


def _size(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
