# SPDX-License-Identifier: MIT
"""Where scripts run: the lanes of kernels that are booted, or those of a board that runs already."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.lane import Lane, all_lanes, select
from harness.lowering.armed import GROUP as ARMED
from harness.lowering.context import GROUP
from harness.model.interface.settings import EVER
from harness.run.choice import known_lanes
from harness.session import OnBoard
from hil.arch import architecture
from hil.board import address
from hil.board.board import Board
from hil.board.examine import examine
from hil.board.lab import Lab
from hil.board.login import Unreachable
from hil.board.reaching import COMES_BACK, wake
from hil.kernels import store
from hil.kernels.configuration import options_of
from hil.kernels.distributions import Distribution, detect

_CPUS = "/sys/devices/system/cpu/cpu*/online"
SETTINGS = (
    *(f"/proc/sys/{path}" for path in sorted(EVER)),
    "/proc/sys/net/core/bpf_jit_*",
    _CPUS,
)
"""What the bench, or a script, may change on a board."""


@dataclass(frozen=True)
class Reach:
    """How a user says that the bench reaches a board: `target` is its address, `ssh_config` stands for ~/.ssh/config,
    `config` is the configuration of its kernel, `comes_back` and `lab` as for `Board`."""

    target: str
    ssh_config: Path | None = None
    config: Path | None = None
    comes_back: float = COMES_BACK
    lab: Lab | None = None


@dataclass(frozen=True)
class Places:
    """The lanes that a user chose, and what is known of their kernels before they run; `board` is the only machine
    where one is given."""

    lanes: tuple[Lane, ...]
    board: OnBoard | None = None

    def era(self, kernel: str, arch: str) -> str:
        """Returns the release by whose rules a kernel is judged."""
        return self.board.kernel.era if self.board else store.era(kernel, architecture(arch))

    def version(self, kernel: str, arch: str) -> int | None:
        """Returns the LINUX_VERSION_CODE; None where it is not known yet."""
        return self.board.kernel.version_code if self.board else store.cached_version_code(kernel, architecture(arch))

    def distribution(self, kernel: str, arch: str) -> Distribution | None:
        """Returns the distribution; None where it is not known yet."""
        if self.board is None:
            return store.distribution(kernel, architecture(arch))
        return self.board.kernel.distribution or detect(options_of(self.board.kernel.config))[0]


def places(patterns: Sequence[str], reach: Reach | None = None, tell: Callable[[str], None] = lambda _: None) -> Places:
    """Returns the lanes that match any pattern: of those that there are, or of the board that `reach` leads to, which
    is asked what it is; `tell` receives the answer. Errors as `select` and `hil.board.examine.examine`."""
    if reach is None:
        return Places(select(patterns, known_lanes(patterns)))
    lab = reach.lab
    where = lab.address if lab else address.parse(reach.target)
    if lab:
        tell(lab.told)
    try:
        found = examine(where, reach.ssh_config, reach.config)
    except Unreachable as error:
        if lab is None:
            raise
        wake(lab, reach.ssh_config, reach.comes_back, error, tell)
        found = examine(where, reach.ssh_config, reach.config)
    for line in found.told:
        tell(line)
    kernel = found.kernel
    lanes = all_lanes([(kernel.name, kernel.arch.name)])
    owner = (
        f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()}) since {datetime.now():%Y-%m-%d %H:%M:%S}"
    )
    board = Board(
        where,
        uuid.uuid4().hex,
        owner,
        reach.ssh_config,
        SETTINGS,
        (GROUP, ARMED),
        comes_back=reach.comes_back,
        lab=lab,
    )
    return Places(select(patterns, lanes), OnBoard(board, kernel, found.like, found.cpus))
