# SPDX-License-Identifier: MIT
"""`hil replay`: what a campaign found, once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from harness.fuzz.campaign.chosen import chosen
from harness.fuzz.campaign.work import share_of, understood
from harness.fuzz.finding.files import read
from harness.jobs.options import chosen_places, cold, jobs, lanes, on_divergence, output, target
from harness.jobs.start import carry_out
from harness.lane import listed
from hil import terminal


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
    findings = [read(path) for path in cases]
    given = click.get_current_context().get_parameter_source("lanes") is ParameterSource.COMMANDLINE
    wanted = listed(lanes) if given else list(dict.fromkeys(lane for one in findings for lane in one.lanes))
    places = chosen_places(wanted, console)
    scripts = tuple(dict.fromkeys(one.script for one in findings))
    shares = [share_of(place, scripts, places.board) for place in chosen(places, console)]
    plan = tuple(replace(share, known=understood(share, scripts)) for share in shares)
    return carry_out(console, plan, output, jobs, on_divergence=on_divergence).exit_status
