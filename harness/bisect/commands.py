# SPDX-License-Identifier: MIT
"""`hil bisect`: which point release made a script behave otherwise."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from harness.bisect.answers import Answer
from harness.bisect.asking import Asker
from harness.bisect.bisecting import By, EndSkipped, Result, bisect
from harness.bisect.candidates import between
from harness.bisect.forms import form_of
from harness.bisect.search import most_asked
from harness.bisect.showing import HEADINGS, as_data, describe, rows, sentences
from harness.counting import counted
from harness.jobs import completing
from harness.jobs.artifacts import EVERYTHING
from harness.jobs.options import output, repeat
from harness.lane import Engine
from harness.run import matrix
from harness.run.watch import Logged, Plain
from hil import directories, signals, terminal
from hil.arch import architecture
from hil.kernels.points import Point
from hil.whole import write_whole

_NONE, _OPEN = 1, 3
"""The exit statuses for "both ends behave alike" and "the first one is among kernels that could not be asked"."""


@click.command("bisect")
@click.argument("what", metavar="SCRIPT|CLAUSE|CASE|OBJECT", shell_complete=completing.clause_or_script)
@click.option(
    "--good",
    required=True,
    metavar="KERNEL",
    shell_complete=completing.kernel,
    help="A good kernel, older or newer than the bad one.",
)
@click.option("--bad", required=True, metavar="KERNEL", shell_complete=completing.kernel, help="A bad kernel.")
@click.option("--arch", default="x86_64", show_default=True, help="Architecture.")
@click.option(
    "--engine",
    type=click.Choice([one.value for one in Engine]),
    default=Engine.JIT.value,
    show_default=True,
    help="The engine that runs the programs.",
)
@click.option(
    "--by",
    type=click.Choice([one.value for one in By]),
    default=By.OUTCOME.value,
    show_default=True,
    help="What has to differ: what the operations gave, or the verdict of model and clause on it.",
)
@repeat
@click.option("--afresh", is_flag=True, help="Ask kernels again whose answers were stored.")
@output
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(
    what: str, good: str, bad: str, arch: str, engine: str, by: str, rounds: int, afresh: bool, output: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Find the first point release that behaves differently: the one that broke a script, or the one that fixed it.

    Between the two kernels, which are versions (6.12.43), versions of one Debian release (debian-13@6.12.90) or kernels
    of the catalogue (debian-13), lie those of Debian's archive: hil kernels list --all. They are searched by halves.
    An OBJECT is a file with BPF programs, FILE or FILE:PROGRAM, adjusted to each kernel and tried as hil check does.
    One that cannot be fetched or booted is skipped. What a kernel answered is kept: the same command goes on after an
    interruption. Wildcards, several scripts and imported kernels are not for this command.

    By outcome, every kernel runs the form of the script that the older one has, and two behave alike when every
    operation gave the same, but for what nobody can know beforehand, such as addresses, and what differs from round to
    round of one kernel (--repeat). By verdict each is judged by its own release, which is what to use across
    releases whose interface differs.

    Exit status: 0 found, 1 both ends behave alike, 2 wrong usage, 3 an end failed, or the first one is among skipped
    ones.
    """
    console = terminal.console(stderr=as_json)
    span = between(good, bad, architecture(arch), lambda line: _print_line(console, line))
    newer = "bad" if span.newer == bad else "good"
    scripts, one_for_all = form_of(what)
    form = scripts(span.points[0])  # an unknown name fails before anything boots
    if by == By.OUTCOME and one_for_all:
        scripts = lambda _: form  # noqa: E731
    asker = Asker(scripts, Engine(engine), rounds, afresh=afresh)
    found, folder = _search(console, span.points, asker, By(by), output)
    data = {"what": what, "arch": arch, "engine": engine, "by": by, **as_data(found, newer)}
    if folder is not None:
        write_whole(folder / "bisect.json", json.dumps(data, indent=1) + "\n")
    if as_json:
        click.echo(json.dumps({**data, "folder": folder and str(folder)}, indent=2))
    else:
        terminal.print_table(console, HEADINGS, rows(found, newer))
        for line in sentences(found, newer):
            _print_line(console, line)
        if folder is not None:
            _print_line(console, f"run folder: {folder}")
    if found.first is None:
        return _NONE
    return _OPEN if found.suspects else 0


class _Unasked(Exception):
    """A kernel would have to be booted."""


def _search(
    console: Console, points: tuple[Point, ...], asker: Asker, by: By, output: Path | None
) -> tuple[Result, Path | None]:
    """Returns the result and the run folder, None where no kernel had to be booted."""

    def kept(point: Point) -> tuple[Answer, int]:
        answer = asker.known(point)
        if answer is None:
            raise _Unasked
        return answer, 0

    with suppress(_Unasked):
        return bisect(points, kept, by), None
    _print_line(
        console,
        f"{counted(len(points), 'kernel')} from {points[0].name} to {points[-1].name}: "
        f"{most_asked(len(points))} boots at most, and one more for each that has to be skipped",
    )
    signals.defer()  # until there is something that can be left in the folder
    folder = matrix.make_folder(output or directories.state() / "runs")
    watch = Logged(Plain(console))
    results: list[Result | EndSkipped] = []

    def ask(point: Point) -> tuple[Answer, int]:
        answer = asker.known(point)
        return asker.ask(point, folder, watch) if answer is None else (answer, 0)

    def carry_out() -> None:
        try:
            results.append(bisect(points, ask, by, lambda one: _print_line(console, describe(one))))
        except EndSkipped as error:  # the run ended all the same, and was not interrupted
            results.append(error)

    try:
        matrix.recorded(asker.workers, carry_out, folder, artifacts=EVERYTHING)
    except (KeyboardInterrupt, SystemExit):
        _print_line(console, f"the search is not complete, the same command goes on with it; run folder: {folder}")
        raise
    (result,) = results
    if isinstance(result, EndSkipped):
        raise result
    return result, folder


def _print_line(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
