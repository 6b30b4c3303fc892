# SPDX-License-Identifier: MIT
"""`hil replay`: what a campaign found, once more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from harness.fuzz.campaign.chosen import chosen
from harness.fuzz.campaign.work import share_of, understood
from harness.fuzz.finding.files import Finding, read
from harness.jobs.options import chosen_places, cold, jobs, lanes, on_divergence, output, target
from harness.jobs.start import carry_out
from harness.lane import listed, select
from harness.run.choice import known_lanes
from harness.script.operations import Script
from hil import terminal
from hil.errors import UserError


@click.command()
@click.argument(
    "cases",
    metavar="CASE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
)
@lanes
@jobs
@cold
@output
@on_divergence
@target
def replay(
    cases: tuple[Path, ...],
    lanes: str,
    jobs: int | None,
    output: Path | None,
    on_divergence: str | None,
    **_: object,
) -> int:
    """Run findings of `hil fuzz` again: files of the folder `findings` of a campaign, on the lanes where they were
    seen, or on those of `--lanes`.

    The exit status is that of `hil run`.
    """
    console = terminal.console()
    findings = {path: read(path) for path in cases}
    context = click.get_current_context()
    given = context.get_parameter_source("lanes") is ParameterSource.COMMANDLINE
    if not given and context.params["target"] is None:
        _check_lanes(findings)
    wanted = listed(lanes) if given else list(dict.fromkeys(lane for one in findings.values() for lane in one.lanes))
    places = chosen_places(wanted, console)
    scripts = tuple(_named_apart(one.script for one in findings.values()))
    shares = [share_of(place, scripts, places.board) for place in chosen(places, console)]
    plan = tuple(replace(share, known=understood(share, scripts)) for share in shares)
    return carry_out(console, plan, output, jobs, on_divergence=on_divergence).exit_status


def _named_apart(scripts: Iterable[Script]) -> Iterator[Script]:
    """Yields different scripts with different names, by which results and what is known of them go: one case leaves
    several where it was made smaller on several lanes."""
    taken: set[str] = set()
    for script in dict.fromkeys(scripts):
        names = (script.name, *(f"{script.name}-{number}" for number in range(2, len(taken) + 3)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        yield replace(script, name=name)


def _check_lanes(findings: Mapping[Path, Finding]) -> None:
    """Raises UserError for a finding that was seen on a lane that this host does not know: on a board, on a kernel that
    was imported elsewhere."""
    for path, one in findings.items():
        try:
            select(one.lanes, known_lanes(one.lanes))
        except UserError as error:
            raise UserError(
                f"{path} was seen where it cannot be run here: {error.what}",
                remedy="give --lanes to run it elsewhere; `hil lanes` lists all",
            ) from None
