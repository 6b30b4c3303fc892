# SPDX-License-Identifier: MIT
"""What a run consists of: lanes, grouped by the machine that serves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from glob import escape

from harness.lane import Engine, Lane, all_lanes
from harness.run.known import KnownDivergence, about
from harness.script.operations import Script
from harness.session import Bootable, OnBoard
from hil.arch import architecture
from hil.kernels import store


@dataclass(frozen=True)
class Share:
    """One machine's part of a run: a kernel and an architecture, the engines to visit, the scripts for each, which of
    their divergences are known, how many rounds to make over all of it, how many scripts share a process
    (`GuestExecutor.run`), which functions stay probed meanwhile (`harness.lowering.armed`), whether the scripts are
    made at random, so that operations that fail in them are expected to, and the board that is the machine, if it is
    one. What is `ready` need not be prepared."""

    kernel: str
    arch: str
    engines: tuple[Engine, ...]
    scripts: tuple[Script, ...]
    known: tuple[KnownDivergence, ...] = ()
    rounds: int = 1
    together: int = 1
    armed: tuple[str, ...] = ()
    random: bool = False
    board: OnBoard | None = None
    ready: Bootable | None = None

    @property
    def name(self) -> str:
        """Returns the name of its folder, which messages use, too; without colons, which archives of artifacts do not
        take."""
        return f"{self.kernel}-{self.arch}".replace(":", "-")

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(Lane(self.kernel, self.arch, engine) for engine in self.engines)


def shares(
    lanes: Sequence[Lane],
    scripts: Callable[[str, str], tuple[Script, ...]],
    known: tuple[KnownDivergence, ...] = (),
    rounds: int = 1,
    together: int = 1,
    armed: tuple[str, ...] = (),
    random: bool = False,
    board: OnBoard | None = None,
) -> tuple[Share, ...]:
    """Group lanes by machine, in their order; `scripts` gives those of a kernel and an architecture.

    All lanes are those of `board` where one is given.
    """
    engines: dict[tuple[str, str], list[Engine]] = {}
    for lane in lanes:
        engines.setdefault((lane.kernel, lane.arch), []).append(lane.engine)
    return tuple(
        Share(
            kernel,
            arch,
            tuple(chosen),
            scripts(kernel, arch),
            about(known, store.cached_version_code(kernel, architecture(arch)))
            if board is None
            else on_board(about(known, board.kernel.version_code), board),
            rounds,
            together,
            armed,
            random,
            board,
        )
        for (kernel, arch), chosen in engines.items()
    )


def on_board(known: Sequence[KnownDivergence], board: OnBoard) -> tuple[KnownDivergence, ...]:
    """The entries about a board: those about the lanes of the kernel that it is like."""
    lanes = all_lanes([(board.kernel.name, board.kernel.arch.name)])
    return tuple(
        replace(one, lane=escape(str(lane)))
        for one in known
        for lane in lanes
        if fnmatchcase(str(replace(lane, kernel=board.like)), one.lane)
    )
