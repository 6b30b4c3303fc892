# SPDX-License-Identifier: MIT
"""The specification of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.guestroot import GuestRoot
    from hil.kernels.kernel import Kernel

NO_KASLR = "nokaslr"
"""The option of the kernel command line that gives the kernel its linked addresses at every boot."""


@dataclass(frozen=True)
class MachineSpec:
    """One machine to start. `memory` is in MiB; `folder` is the folder for the files of its run.

    `append` is added to the kernel command line. `patience` is the number of nominal seconds that a read from the guest
    may wait for data; infinite where the guest is stopped on purpose, as under gdb. `plugin` is the value of QEMU's
    option -plugin, which only its translator (TCG) has; empty for none.

    With `state`, the folder of a saved state (`hil.machine.states`), the machine is restored from it instead of booted.

    One CPU is the default, which avoids races in a guest that does not need more.
    """

    kernel: Kernel
    root: GuestRoot
    folder: Path
    memory: int = 512
    cpus: int = 1
    append: tuple[str, ...] = ()
    patience: float = 120.0
    plugin: str = ""
    disks: Mapping[str, Path] = field(default_factory=dict)
    """Images of disks by the serial numbers that the guest sees; what it writes to them is thrown away."""
    state: Path | None = None

    @property
    def console_log(self) -> Path:
        """The path of the file with everything that the guest printed, which QEMU writes."""
        return self.folder / "console.log"

    @property
    def command_file(self) -> Path:
        """The path of the file with the command line that starts the same machine at a terminal, quoted for a shell."""
        return self.folder / "qemu.command"

    @property
    def stderr_file(self) -> Path:
        """The path of the file with QEMU's messages."""
        return self.folder / "qemu.stderr"
