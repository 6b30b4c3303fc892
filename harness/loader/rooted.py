# SPDX-License-Identifier: MIT
"""What a command finds around it in a guest: the root file system, its packages, the kernel's headers, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from harness.lane import listed
from harness.session import QUIET, Bootable, Listener, prepare
from hil.errors import UserError
from hil.rootfs import choice, debian, mounting

WITH_ROOT = 1536
"""MiB of a guest that has a root file system: compilers of BPF (bcc, bpftrace) take some hundreds."""


@dataclass(frozen=True)
class Surroundings:
    """`root` names a root file system, `packages` those of Debian's; `headers` asks for the kernel's headers and
    modules in it; `memory` is in MiB. Raises UserError for what makes no sense without a root."""

    root: str | None = None
    packages: tuple[str, ...] = ()
    headers: bool = False
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.root is None and (self.packages or self.headers):
            raise UserError("--packages and --headers are for root file systems", remedy="add --root debian-12")
        if self.root is not None:
            choice.check(self.root, self.packages)

    @classmethod
    def of(cls, root: str | None, packages: str, headers: bool, memory: int | None) -> Surroundings:
        """What the options of `surroundings_options` say; `packages` are separated by commas."""
        return cls(root, tuple(listed(packages)) if packages else (), headers, memory)

    @contextmanager
    def bootable(self, kernel: str, arch: str, listener: Listener = QUIET) -> Iterator[Bootable]:
        """Yields the kernel with its guest root and its disks; errors as `harness.session.prepare` and
        `hil.rootfs.choice.chosen`."""
        bootable = prepare(kernel, arch, listener, disks=self.root is not None)
        with ExitStack() as stack:
            disks: dict[str, Path] = {}
            if self.root is not None:
                asked = choice.chosen(self.root, bootable.kernel.arch, self.packages, notify=listener.note)
                disks[mounting.ROOT] = stack.enter_context(asked)
            if self.headers:
                disks[mounting.KERNEL] = debian.kernel_disk(bootable.kernel, notify=listener.note).path
            memory = self.memory or (WITH_ROOT if disks else None)
            yield replace(bootable, disks=disks, memory=memory)


def surroundings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that `Surroundings` is made of."""
    for option in (
        click.option("--memory", type=click.IntRange(128), help="MiB of a guest; more where it has a --root."),
        click.option("--headers", is_flag=True, help="The kernel's headers and modules in the --root, as bcc needs."),
        click.option("--packages", default="", help="Packages of Debian for the --root, by commas."),
        click.option(
            "--root",
            metavar="NAME|FOLDER|ARCHIVE",
            help="A root file system to run in: Debian's, as debian-12, or your own, as a folder, tar or cpio archive.",
        ),
    ):
        command = option(command)
    return command
