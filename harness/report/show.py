# SPDX-License-Identifier: MIT
"""`hil show`: a script as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from harness.compare import Verdict
from harness.counting import counted
from harness.history.find import find, names_run
from harness.jobs import completing
from harness.lane import compact, select
from harness.model.eras import ERAS
from harness.named import like, named
from harness.report.account import finding, script
from harness.report.groups import grouped
from harness.report.programs import account
from harness.run.again import again
from harness.run.choice import known_lanes
from harness.run.results import RunReport
from harness.run.texts import text
from hil.arch import architecture, architectures
from hil.errors import UserError
from hil.kernels import store

DEFAULT_LANE = "debian-12/x86_64"


@click.command()
@click.argument("what", metavar="SCRIPT|CLAUSE|CASE|RUN:ID", shell_complete=completing.clause_or_script)
@click.option(
    "--lane",
    shell_complete=completing.lane,
    help=f"KERNEL/ARCH whose form of the script is shown; by default {DEFAULT_LANE}.",
)
@click.option("--era", type=click.Choice([*ERAS]), help="The generation of kernels, instead of that of the lane.")
@click.option("--arch", type=click.Choice([*architectures()]), help="The architecture, instead of that of the lane.")
@click.option("--whole", is_flag=True, help="Long runs of bytes, such as types, too.")
def show(what: str, lane: str | None, era: str | None, arch: str | None, whole: bool) -> int:
    """Print a script: its operations, what is expected of them, and its programs as text and in hexadecimal.

    It is one of `hil run --list`, of `hil conform --list`, a case of `hil fuzz` as reports call it (case-SEED-NUMBER or
    script-SEED-NUMBER), or the script ID of an earlier run, RUN:ID, with what that run found of it. RUN is as in
    `hil history`.
    """
    if ":" in what:
        if era or arch:
            raise UserError("a run has its scripts as they were", remedy="leave out --era and --arch; --lane chooses")
        run, name = split(what)
        lines = recorded(find(run).report, run, name, lane, whole=whole)
    else:
        lines = known(what, lane or DEFAULT_LANE, era, arch, whole=whole)
    for line in lines:
        click.echo(line)
    return 0


def split(what: str) -> tuple[str, str]:
    """Returns the run and the name of its script in RUN:NAME, both of which may have colons: the shortest beginning
    that may name a run, and else the part before the first colon."""
    parts = [(what[:at], what[at + 1 :]) for at, letter in enumerate(what) if letter == ":"]
    return next((part for part in parts if names_run(part[0])), parts[0])


def known(name: str, lane: str, era: str | None, arch: str | None, *, whole: bool = False) -> Iterator[str]:
    """The script of that name as it is on a lane, or in an era on an architecture; UserError when there is none."""
    chosen = select([lane], known_lanes([lane]))[0]
    where = arch or chosen.arch
    when = era or store.era(chosen.kernel, architecture(where))
    subcommand, found = named(name, where, when)
    machine = f"{chosen.kernel}/{where}"
    yield from script(text(found, () if era else (machine,)), whole=whole)
    for need in sorted(found.needs):
        yield f"needs {need}"
    if not era:
        yield f"again: {again(('hil', subcommand), [machine], name)}"


def recorded(report: RunReport, run: str, name: str, lane: str | None = None, *, whole: bool = False) -> Iterator[str]:
    """Yields a run's results of a script, on all lanes or those of `lane`, and the script in each of its forms
    there."""
    results = tuple(one for one in report.results if one.script == name and _within(one.lane, lane))
    if not results:
        near = like(name, {one.script for one in report.results})
        raise UserError(
            f"run {run} has no result of {name!r}{f' on {lane}' if lane else ''}",
            remedy=f"did you mean {near}?" if near else f"see hil report {run} --format markdown",
        )
    of_objects = tuple(one for one in report.checked if one.script == name and _within(one.lane, lane))
    machines = {one.lane.rpartition("/")[0] for one in results}
    marked = {step.index for one in results for step in one.operations}
    yield f"{counted(len(results), 'result')} of {report.started}, {report.title}"
    for group in grouped(replace(report, results=results)):
        yield f"{group.verdict} on {', '.join(compact(group.lanes))}"
        yield from (f"    {line}" for line in finding(group.results[0]))
        yield f"    again: {group.again(report)}"
    if agreeing := [one.lane for one in results if one.verdict is Verdict.AGREE]:
        yield f"{Verdict.AGREE} on {', '.join(compact(agreeing))}"
    accounts: dict[tuple[str, ...], list[str]] = {}
    for fared in of_objects:
        accounts.setdefault(tuple(account(fared)), []).append(fared.lane)
    for said, lanes in accounts.items():
        yield f"the program on {', '.join(compact(lanes))}"
        yield from (f"    {line}" for line in said)
    for form in report.scripts:
        if form.script == name and machines & set(form.machines):
            yield from script(form, marked, whole=whole)
            if not form.programs and any("program=<" in operation for operation in form.operations):
                where = "hil object FILE" if of_objects else f"hil show {name}"
                yield f"its programs were not recorded, since nothing differed; see {where}"


def _within(lane: str, pattern: str | None) -> bool:
    return pattern is None or lane == pattern or lane.startswith(f"{pattern}/")
