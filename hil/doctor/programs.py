# SPDX-License-Identifier: MIT
"""The programs of the host that the bench starts, each with the commands that need it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hil.agent.build import prebuilt
from hil.arch import Architecture, architecture, architectures
from hil.debian.apt import KEYRING
from hil.doctor.finding import Finding, State, failed
from hil.machine import accelerator
from hil.recorder import ARCHITECTURES, NoRecorder, interface_of

Which = Callable[[str], str | None]
_DEADLINE = 60
"""Seconds for a QEMU that starts no guest; it takes a fraction of one."""
_VERSION = re.compile(r"^(\d[\d.]*)(.*?)\r?$", re.MULTILINE)
"""The answer of QEMU's monitor: the version, and right behind it the distribution's."""


@dataclass(frozen=True)
class Tool:
    """A program by one of its names, its package in Debian, and what does not work without it."""

    names: tuple[str, ...]
    package: str
    needed_for: str


TOOLS = (
    Tool(("setpriv",), "util-linux", "every machine, and gdb"),
    Tool(("apt-get",), "apt", "fetching kernels"),
    Tool(("dpkg-deb",), "dpkg", "unpacking packages"),
    Tool(("zstd",), "zstd", "kernels with modules packed by zstd"),
    Tool(("lz4",), "lz4", "hil debug, where the kernel's image is packed by lz4"),
    Tool(("ssh-keygen",), "openssh-client", "boards (--target), hil shell"),
    Tool(("gdb-multiarch",), "gdb-multiarch", "hil debug"),
    Tool(("mke2fs",), "e2fsprogs", "hil exec --root"),
    Tool(("cc",), "gcc", "hil debug --lockstep"),
    Tool(("clang",), "clang", "compiling the examples"),
    Tool(("depmod",), "kmod", "hil kernels build"),
    Tool(("xz",), "xz-utils", "hil kernels build"),
)


def which(name: str) -> str | None:
    """The path of a program, also of one for administrators, which are not on everybody's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def tools(find: Which = which, keyring: Path = KEYRING) -> Iterator[Finding]:
    """Yields what is missing, or that nothing is."""
    missing = [tool for tool in TOOLS if not any(map(find, tool.names))]
    for tool in missing:
        yield _missing(tool.names[0], tool.package, tool.needed_for)
    if not keyring.exists():
        yield _missing(str(keyring), "debian-archive-keyring", "fetching kernels")
    elif not missing:
        yield Finding("programs", State.OK, f"{', '.join(tool.names[0] for tool in TOOLS)} are installed")


def compilers(find: Which = which) -> Iterator[Finding]:
    """Yields whether the agent is there, or can be compiled, for each architecture."""
    for arch in architectures().values():
        if prebuilt(arch):
            yield Finding(f"agent for {arch}", State.OK, "came with the wheel")
        elif found := find(arch.gcc):
            yield Finding(f"agent for {arch}", State.OK, f"compiled by {found}")
        else:
            yield _missing(arch.gcc, arch.gcc_package, f"the agent for {arch}", f"agent for {arch}")


def emulators(find: Which = which) -> Iterator[Finding]:
    """Yields for each architecture whether a QEMU of this host starts a machine as the bench has them. Without any, an
    error; without one, a warning: the lanes of its architecture do not run."""
    found = {arch: find(arch.qemu) for arch in architectures().values()}
    missing = State.WARNING if any(found.values()) else State.ERROR
    for arch, program in found.items():
        subject = f"QEMU for {arch}"
        if program is None:
            yield Finding(subject, missing, f"{arch.qemu} is not installed", _install(arch.qemu_package))
        else:
            yield _started(subject, arch, program)


def recorders(find: Which = which) -> Iterator[Finding]:
    """Yields for each QEMU that is there whether lockstep can record with it, and by what it reads registers."""
    for arch in map(architecture, ARCHITECTURES):
        subject = f"lockstep on {arch}"
        if qemu := find(arch.qemu):
            try:
                found = interface_of(Path(qemu).resolve())
            except NoRecorder as error:
                yield failed(subject, error, State.WARNING)
            else:
                yield Finding(subject, State.OK, f"plugins (version {found.version}) read registers by {found.how}")


def _started(subject: str, arch: Architecture, program: str) -> Finding:
    """Whether QEMU makes a machine with a network card, which needs its option ROMs, and what version it is."""
    chosen = accelerator.choose(arch)
    command = [
        *(program, "-nodefaults", "-no-user-config", "-display", "none", "-S", "-monitor", "stdio"),
        *("-machine", arch.machine, *chosen.options(arch), "-device", "virtio-net-pci"),
    ]
    try:
        done = subprocess.run(command, input="info version\nquit\n", capture_output=True, text=True, timeout=_DEADLINE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(subject, State.ERROR, f"{program} does not start: {error}", _install(arch.qemu_package))
    if done.returncode:
        what = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        packages = f"{arch.qemu_package} ipxe-qemu"
        return Finding(subject, State.ERROR, f"{program} starts no machine: {what}", _install(packages))
    version = _VERSION.search(done.stdout)
    return Finding(subject, State.OK, f"{' '.join(version.groups()) if version else 'version unknown'}, {chosen.name}")


def _missing(name: str, package: str, needed_for: str, subject: str = "programs") -> Finding:
    return Finding(subject, State.WARNING, f"{name} is missing: {needed_for} will not work", _install(package))


def _install(packages: str) -> str:
    return f"apt-get install --no-install-recommends {packages}"
