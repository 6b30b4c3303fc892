# SPDX-License-Identifier: MIT
"""The kernels that objects are tried on: those of the lanes' machines, or the one that a board runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from harness.lane import Lane
from harness.objects import kernel_types
from harness.objects.kernel_facts import KernelFacts
from harness.run.places import Places
from harness.script.needs import CPUS
from harness.session import OnBoard
from hil.arch import architecture
from hil.board import examine
from hil.errors import UserError
from hil.kernels import store
from hil.kernels.kernel import Kernel

Place = tuple[str, str]
"""The name of a kernel, and its architecture."""


@dataclass(frozen=True)
class Chosen:
    """The lanes whose kernels are there, these kernels with what a loader has to know of them, and why the other lanes
    are left out."""

    lanes: tuple[Lane, ...]
    kernels: Mapping[Place, Kernel]
    facts: Mapping[Place, KernelFacts]
    left: Mapping[Lane, str]


def choose(places: Places, notify: Callable[[str], None], *, boots: bool) -> Chosen:
    """Returns the kernels of the places, which are fetched, and verified as a whole where something `boots` them;
    raises UserError when none of them can be had."""
    kernels: dict[Place, Kernel] = {}
    left: dict[Lane, str] = {}
    for lane in places.lanes:
        place = lane.kernel, lane.arch
        try:
            kernels[place] = kernels.get(place) or _kernel(places.board, place, notify, boots)
        except store.NotCached as error:
            left[lane] = str(error)
    if not kernels:
        raise UserError(
            f"no kernel of the chosen lanes is there: {'; '.join(dict.fromkeys(left.values()))}",
            remedy="see hil kernels list, or choose others",
        )
    facts = {place: _facts(places.board, kernel) for place, kernel in kernels.items()}
    return Chosen(tuple(lane for lane in places.lanes if lane not in left), kernels, facts, left)


def _kernel(board: OnBoard | None, place: Place, notify: Callable[[str], None], boots: bool) -> Kernel:
    name, arch = place
    return board.kernel if board else store.get(name, architecture(arch), boots=boots, notify=notify)


def _facts(board: OnBoard | None, kernel: Kernel) -> KernelFacts:
    if board is None:
        return KernelFacts.of(kernel, CPUS)
    address, ssh_config = board.board.address, board.board.ssh_config
    return replace(
        KernelFacts.of(kernel, board.cpus),
        read_types=lambda: kernel_types.from_memory(examine.types(address, ssh_config), str(address)),
        read_file=lambda path: examine.content(address, path, ssh_config),
    )
