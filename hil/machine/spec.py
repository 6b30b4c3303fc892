# SPDX-License-Identifier: MIT
"""What a machine is made of, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.guestroot import GuestRoot
    from hil.kernels.kernel import Kernel

NO_KASLR = "nokaslr"
"""The word on the kernel's command line without which its addresses are others at every boot."""


@dataclass(frozen=True)
class MachineSpec:
    """One machine to start. `memory` is in MiB; `folder` is where the files of its run are left.

    `append` is added to the kernel's command line. `patience` is how many nominal seconds a stream from the guest may
    stay silent while somebody reads it; infinite where the guest is stopped on purpose, as under gdb.

    One CPU is the default: nothing races in a guest that has no use for more.
    """

    kernel: Kernel
    root: GuestRoot
    folder: Path
    memory: int = 512
    cpus: int = 1
    append: tuple[str, ...] = ()
    patience: float = 120.0

    @property
    def console_log(self) -> Path:
        """Everything the guest printed, written by QEMU itself."""
        return self.folder / "console.log"

    @property
    def command_file(self) -> Path:
        """The command line that starts the same machine at a terminal, quoted for a shell."""
        return self.folder / "qemu.command"

    @property
    def stderr_file(self) -> Path:
        """What QEMU complained about."""
        return self.folder / "qemu.stderr"
