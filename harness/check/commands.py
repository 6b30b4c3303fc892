# SPDX-License-Identifier: MIT
"""`hil check`: programs of a user's objects on lanes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path

import click

from harness.check import expecting, kernels
from harness.check.looking import Inspection
from harness.check.modelled import modelled
from harness.check.objects import objects
from harness.check.triggers import parse
from harness.check.trying import NamedObject, script_names, trials
from harness.jobs.options import chosen_places, cold, jobs, lanes, on_divergence, output, target
from harness.jobs.start import carry_out
from harness.lane import listed
from harness.objects.object_file import ObjectProgram
from harness.report.programs import print_checked
from harness.run.checked import Word
from harness.run.choice import known_lanes
from harness.run.plan import shares
from harness.script.triggers import TRIGGERS
from hil import terminal
from hil.arguments import INPUT_FILE
from hil.errors import UserError
from hil.nearest import nearest
from hil.whole import check_place

TRIGGER = (
    "Fire probes by this trigger: write_null:0,5, or run:ls /. There are "
    + ", ".join(f"{name}:{','.join(map(str.upper, path.chosen))}" for name, path in TRIGGERS.items())
    + "; arguments that are left out are 0."
)


@click.command()
@click.argument("files", nargs=-1, required=True, type=INPUT_FILE)
@lanes
@click.option("--programs", "patterns", default="*", show_default=True, help="Only programs of such names or sections.")
@click.option("--trigger", metavar="NAME[:ARGUMENTS]", help=TRIGGER)
@click.option("--portable", is_flag=True, help="Name system calls as each kernel does, set `version`, and say so.")
@click.option("--expect", type=INPUT_FILE, help="A table of what must be.")
@click.option("--write-expect", type=click.Path(dir_okay=False, path_type=Path), help="Write the table of what was.")
@click.option("--model-only", is_flag=True, help="Ask the model alone; boot nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --model-only: print JSON.")
@on_divergence
@jobs
@cold
@target
@output
def check(
    files: tuple[Path, ...],
    lanes: str,
    patterns: str,
    trigger: str | None,
    portable: bool,
    expect: Path | None,
    write_expect: Path | None,
    model_only: bool,
    as_json: bool,
    on_divergence: str | None,
    jobs: int | None,
    output: Path | None,
    **_: object,
) -> int:
    """Try the programs of BPF object files on lanes: do they load, attach, fire, and leave the same in their maps?

    FILE may be a program that holds objects. Exit status: 0 every program loads, attaches where the bench can attach
    it, and does what the model and other lanes say, or as --expect has it; 1 one does not; 2 a file holds no such
    program; 3 a machine or the bench failed, or with --model-only the model knows nothing of any program.
    """
    console = terminal.console(stderr=as_json)
    if as_json and not model_only:
        raise UserError("--json works with --model-only", remedy="results.json in the run folder has everything")
    if on_divergence and model_only:
        raise UserError("--on-divergence runs programs again, --model-only runs none", remedy="leave one of them out")
    fire = None if trigger is None else parse(trigger)
    if write_expect is not None:
        check_place(write_expect, "--write-expect")
    named = tuple(objects(files))
    wanted = _wanted(named, patterns)
    places = chosen_places(listed(lanes), console)
    chosen = kernels.choose(places, console.print, boots=not model_only)
    for lane, why in chosen.left.items():
        console.print(f"{lane}: left out, {why}", soft_wrap=True)
    tried = {
        place: tuple(trials(named, facts, fire, translate=portable, wanted=wanted))
        for place, facts in chosen.facts.items()
    }
    table = {} if expect is None else expecting.read(expect, script_names(named), (*known_lanes(), *chosen.lanes))
    expecting.check_left_out(table, chosen.left)
    if model_only:
        found = tuple(
            expecting.expected(table, one)
            for lane in chosen.lanes
            for one in modelled(lane, chosen.kernels[lane.kernel, lane.arch], tried[lane.kernel, lane.arch])
        )
        if as_json:
            click.echo(json.dumps([asdict(one) for one in found], indent=1))
        else:
            print_checked(console, found)
        status = 0 if all(one.fine for one in found) else 1
        if all(one.word is Word.OPEN and not one.expected for one in found):
            status = 3  # the model knows nothing of any of them
    else:
        inspection = Inspection(tried, lambda one: expecting.expected(table, one))
        plan = shares(
            chosen.lanes, lambda *place: tuple(one.script for one in tried[place] if one.script), board=places.board
        )
        report = carry_out(
            console,
            plan,
            output,
            jobs,
            after=inspection.look,
            complete=inspection.complete,
            on_divergence=on_divergence,
        )
        found, status = report.checked, report.exit_status
    if write_expect is not None:
        expecting.write(write_expect, found)
        console.print(f"written: {write_expect}", soft_wrap=True)
    return status


def _wanted(objects: Sequence[NamedObject], patterns: str) -> Callable[[ObjectProgram], bool]:
    """Returns whether a program is one that the user chose; raises UserError for a pattern that matches none."""
    programs = [program for one in objects for program in one.file.programs]
    names = {word for program in programs for word in (program.name, program.section)}
    for pattern in listed(patterns):
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"no program or section matches {pattern!r}", remedy=nearest(pattern, sorted(names)))

    def wanted(one: ObjectProgram) -> bool:
        return any(fnmatchcase(word, pattern) for pattern in listed(patterns) for word in (one.name, one.section))

    return wanted
