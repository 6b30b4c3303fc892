# SPDX-License-Identifier: MIT
"""Shards of a campaign, put together: the record and the findings are those of one process which ran all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.fuzz.campaign import journal, plan
from harness.fuzz.campaign.journal import Entry, Journal
from harness.fuzz.campaign.plan import Campaign
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.finding import files
from hil.errors import UserError, os_error


def merge(folders: Sequence[Path], into: Path) -> Campaign:
    """Writes the campaign that `folders` have shards of in the folder `into`, with what all of them recorded and found,
    of findings of one name that of the first; what none recorded, `--resume` runs there. Raises UserError when they are
    not of one campaign, BenchError when something cannot be written."""
    campaigns = [plan.read(folder).whole() for folder in folders]
    for folder, campaign in zip(folders, campaigns, strict=True):
        if campaign != campaigns[0]:
            raise UserError(
                f"{folder} is of another campaign than {folders[0]}: {_differing(campaign, campaigns[0])}",
                remedy="merge shards that differ in nothing but --shard",
            )
    if twice := [folder for at, folder in enumerate(folders) if folder.resolve() in map(Path.resolve, folders[:at])]:
        raise UserError(f"{twice[0]} is given twice", remedy="name each shard once")
    entries: dict[int, Entry] = {}
    for folder in folders:
        for entry in journal.read(folder):
            entries.setdefault(entry.first, entry)
    campaigns[0].write(into)
    for folder in folders:
        try:
            files.copy(folder / files.FOLDER, into / files.FOLDER)
        except OSError as error:
            raise os_error(error, into) from error
    with Journal(into) as written:
        for first in sorted(entries):
            written.append(entries[first])
    return campaigns[0]


def add(campaign: Campaign, folder: Path, totals: Totals) -> None:
    """Adds what the journal of a folder has to `totals`."""
    for entry in journal.read(folder):
        totals.add(entry)


def _differing(one: Campaign, other: Campaign) -> str:
    changed = [name for name in vars(one) if getattr(one, name) != getattr(other, name)]
    return ", ".join(changed)
