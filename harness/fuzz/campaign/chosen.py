# SPDX-License-Identifier: MIT
"""The places of a campaign, from the lanes that were chosen, and whether they are still those that it began with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.fuzz.campaign import plan
from harness.fuzz.campaign.plan import Campaign, Place
from harness.lane import Engine
from harness.run.places import Places
from hil.arch import architecture
from hil.digest import sha256
from hil.errors import UserError
from hil.kernels import store


def chosen(places: Places, console: Console) -> tuple[Place, ...]:
    """Returns the places of a new campaign; kernels are fetched, which `console` tells."""
    engines: dict[tuple[str, str], list[Engine]] = {}
    for lane in places.lanes:
        engines.setdefault((lane.kernel, lane.arch), []).append(lane.engine)
    return tuple(
        Place(kernel, arch, tuple(those), places.era(kernel, arch), _identity(places, kernel, arch, console))
        for (kernel, arch), those in engines.items()
    )


def check_same(campaign: Campaign, places: Places, folder: Path, console: Console) -> None:
    """Raises UserError where what is left of the campaign in a folder would be another campaign."""
    remedy = "start a new campaign, with another seed to learn more"
    if campaign.generator != plan.generator():
        raise UserError(
            f"this hil makes or judges cases otherwise than the one that began {folder}",
            remedy=f"use that one, or {remedy}",
        )
    now = {str(place): place for place in chosen(places, console)}
    for place in campaign.places:
        if replace(place, identity="") != replace(now.get(str(place), place), identity=""):
            raise UserError(f"{place} is judged by other rules than when {folder} was begun", remedy=remedy)
        if str(place) in now and now[str(place)].identity != place.identity:
            raise UserError(f"{place} is another kernel than when {folder} was begun", remedy=remedy)


def _identity(places: Places, kernel: str, arch: str, console: Console) -> str:
    if places.board:
        return f"{places.board.kernel.release} {places.board.kernel.version}"
    return identity(kernel, arch, lambda line: console.print(line, highlight=False))


def identity(kernel: str, arch: str, notify: Callable[[str], None] = lambda _: None) -> str:
    """Returns what tells a kernel of this host from others of its name; it is fetched where it is not there."""
    said = store.get(kernel, architecture(arch), notify=notify)
    return f"{said.version} {sha256(said.image)}"
