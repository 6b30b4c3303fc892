# SPDX-License-Identifier: MIT
"""The report of a campaign, as every run has one: what is alike beyond some results of a kind is counted only."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from harness.fuzz.campaign.plan import Campaign
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.campaign.work import made, share_of
from harness.fuzz.coverage import summing as coverage
from harness.jobs.artifacts import EVERYTHING
from harness.report.summary import summarize
from harness.run.again import CASE, command_line, with_again
from harness.run.artifacts import Artifacts, Unwritten, write_artifacts
from harness.run.matrix import host
from harness.run.results import MachineReport, RunReport, ScriptText
from harness.run.texts import needs_whole, texts
from hil import logs, signals
from hil.errors import UserError


def reported(
    console: Console,
    campaign: Campaign,
    folder: Path,
    totals: Totals,
    carry_out: Callable[[], None],
    *,
    limited: bool = False,
) -> RunReport:
    """Calls `carry_out`, which adds to `totals`, writes the report in the folder, and sums it up. An interrupt leaves
    the report of what there is, and is raised again. Where cases are missing in the end, it counts as interrupted,
    unless it was `limited` by who started it."""
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    reached = {coverage.NAME: lambda _, path: coverage.write(path, totals.reached)}
    artifacts = Artifacts({**EVERYTHING.files, **reached}, EVERYTHING.record)
    signals.defer()
    with logs.to_file(folder / logs.NAME) as log:
        try:
            carry_out()
        except BaseException as error:
            ended = error.number if isinstance(error, signals.Ended) else None
            report = replace(_report(campaign, totals, started, clock), interrupted=True, signal=ended)
            _write(report, folder, artifacts, log)
            if not isinstance(error, UserError):  # which says itself what to do before
                line = f"the campaign is not complete; to go on: hil fuzz --resume {folder}"
                console.print(line, highlight=False, soft_wrap=True)
            raise
    lacking = totals.cases < campaign.cases and not limited
    report = replace(_report(campaign, totals, started, clock), interrupted=lacking)
    try:
        write_artifacts(report, folder, artifacts, {logs.NAME: log.failure} if log.failure else {})
    except Unwritten:
        summarize(console, report, folder)
        raise
    summarize(console, report, folder)
    return report


def _write(report: RunReport, folder: Path, artifacts: Artifacts, log: logs.File) -> None:
    try:
        write_artifacts(report, folder, artifacts, {logs.NAME: log.failure} if log.failure else {})
    except Unwritten as fault:
        click.echo(f"hil: {fault}", err=True)  # and let what ended the run go on


def _report(campaign: Campaign, totals: Totals, started: str, clock: float) -> RunReport:
    command = command_line(sys.argv)
    machines = tuple(totals.machines.values())
    booted = {(machine.kernel, machine.arch) for machine in machines}
    others = (place for place in campaign.places if (place.kernel, place.arch) not in booted)
    order = {lane: index for index, lane in enumerate(campaign.lanes)}
    results = tuple(
        with_again(result, command) for result in sorted(totals.listed, key=lambda result: order[result.lane])
    )
    report = RunReport(
        started=started,
        seconds=round(time.monotonic() - clock, 2),
        command=command,
        host=host(),
        lanes=campaign.lanes,
        machines=(*machines, *(MachineReport(place.kernel, place.arch) for place in others)),
        results=results,
        spent=totals.spent(),
        tallies=totals.left_out(),
        coverage=coverage.covered(totals.reached),
    )
    return replace(report, scripts=_texts(campaign, report))


def _texts(campaign: Campaign, report: RunReport) -> tuple[ScriptText, ...]:
    """The cases of listed results, made again."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for result in report.results:
        if found := CASE.fullmatch(result.script):
            numbers[result.lane.rpartition("/")[0]].add(int(found["number"]))
    shares = [
        share_of(place, made(campaign.of, campaign.seed, sorted(numbers[str(place)]), place))
        for place in campaign.places
    ]
    return texts(shares, {result.script for result in report.results if needs_whole(result)})
