# SPDX-License-Identifier: MIT
"""`hil debug`: inspects the kernel at the moment it runs a program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from harness.compare import Verdict
from harness.core_scripts import KNOWN
from harness.debug import interactive as by_hand
from harness.debug.choosing import USUAL, WITHOUT_KPROBES, one_lane, stop_at, usual
from harness.debug.debuggee import booted
from harness.debug.going_back import place, show_file, show_moment
from harness.debug.in_lockstep import Held, held, in_lockstep
from harness.debug.looking import look
from harness.debug.showing import show
from harness.debug.subject import offered, subject
from harness.jobs import completing
from harness.jobs.options import output
from harness.lane import Lane
from harness.lockstep.taken import read, taken, write
from harness.run import known, matrix
from harness.run.known import excuse
from harness.session import LineListener, prepare
from hil import directories, terminal
from hil.completing import one_of
from hil.errors import UserError
from hil.gdb.command import require_gdb, require_python
from hil.kernels.debug_symbols import debug_symbols

_AT = "With --lockstep or --show: registers, stack and maps before this executed instruction of a run."
_KINDS = (
    "core script, clause, case, error of kernels (hil bugs), finding of a campaign (FINDING.json), or program of an "
    "object (OBJECT[:PROGRAM])"
)
_WHICH = f"The {_KINDS} to run; if none is named, {USUAL}, or {WITHOUT_KPROBES} where there are no kprobes."
_LOCKSTEP = (
    f"Compare every BPF instruction of this {_KINDS} with the model (docs/lockstep.md). For tests it is "
    "pytest --hil-on-divergence lockstep, for all programs of an object hil check --on-divergence lockstep."
)
_RECORD = (
    "With --lockstep: keep what the lane did in this file. With --interactive or --gdb-server: as well, and `bpf back` "
    "shows it in gdb."
)
_SERVER = "Print what an IDE needs to connect its gdb, and wait until the script has ended."
_SYMBOLS = (
    "Types, lines and local variables for gdb, from the kernel's debug symbols: Debian's package of 260 to 1,200 MB, "
    "which is fetched the first time, or the vmlinux of a kernel of your own."
)
_INIT = "With --interactive: your own settings for gdb, which are loaded first."
_FILE = click.Path(path_type=Path, dir_okay=False)
_FILE_THAT_IS = click.Path(path_type=Path, dir_okay=False, exists=True, resolve_path=True)
_STATUS = {Verdict.AGREE: 0, Verdict.KNOWN: 0, Verdict.DIVERGE: 1}


@click.command()
@click.argument("lane", required=False, shell_complete=completing.lane)
@click.option("--lane", "lanes", multiple=True, shell_complete=completing.lane, help="The same as LANE.")
@click.option("--lockstep", metavar="NAME", shell_complete=one_of(offered), help=_LOCKSTEP)
@click.option("--record", type=_FILE, help=_RECORD)
@click.option("--against", "recorded", type=_FILE, help="With --lockstep: compare with what such a file has.")
@click.option(
    "--show", "shown", type=_FILE, help="Boot nothing: show what a file of --record has, at the place of --at."
)
@click.option("--at", metavar="RUN:STEP", help=_AT)
@click.option("--script", "name", shell_complete=one_of(offered), help=_WHICH)
@click.option("--break", "symbol", metavar="SYMBOL", help="Where to stop; by default the function that runs programs.")
@click.option("--interactive", is_flag=True, help="Open gdb on this terminal instead of showing one stop.")
@click.option("--gdbinit", type=_FILE_THAT_IS, help=_INIT)
@click.option("--gdb-server", "server", is_flag=True, help=_SERVER)
@click.option("--debug-symbols", "typed", is_flag=True, help=_SYMBOLS)
@output
def debug(
    lane: str | None,
    lanes: tuple[str, ...],
    lockstep: str | None,
    record: Path | None,
    recorded: Path | None,
    shown: Path | None,
    at: str | None,
    name: str | None,
    symbol: str | None,
    interactive: bool,
    gdbinit: Path | None,
    server: bool,
    typed: bool,
    output: Path | None,
) -> int:
    """Boot LANE, stop its kernel where it runs the program of a script, and show registers and backtrace; or compare
    every BPF instruction of a script with the model."""
    console = terminal.console()
    if shown is not None:
        _only_with(
            bool(lane or lanes or lockstep or record or recorded or name or symbol or interactive or typed),
            "--show",
            "a lane or --lockstep",
        )
        return show_file(console, shown, at)
    if at is not None:
        place(at)  # fails before anything boots
    named = [one_lane(one) for one in (() if lane is None else (lane,)) + lanes]
    progress = LineListener(lambda line: console.print(Text(line, style="dim"), soft_wrap=True))
    if lockstep is not None:
        _only_with(
            interactive or server or typed or symbol is not None or name is not None,
            "--lockstep",
            "--script, --break, --interactive, --gdb-server and --debug-symbols",
        )
        return _lockstep(console, named, lockstep, output, progress, record, recorded, at)
    _only_with(recorded is not None, "hil debug without --lockstep", "--against")
    _only_with(
        record is not None and not (interactive or server),
        "hil debug without --lockstep, --interactive or --gdb-server",
        "--record",
    )
    _only_with(at is not None, "hil debug without --lockstep or --show", "--at")
    if len(named) != 1:
        raise UserError(f"{len(named)} lanes are named, where one is debugged", remedy="name one: hil debug LANE")
    (chosen,) = named
    _only_with(interactive and server, "--interactive", "--gdb-server")
    _only_with(gdbinit is not None and not interactive, "hil debug without --interactive", "--gdbinit")
    # These fail before anything boots.
    if interactive:
        require_python()
    elif not server:
        require_gdb()
    bootable = prepare(chosen.kernel, chosen.arch, progress)
    kernel = bootable.kernel
    about = subject(usual(chosen.arch, kernel.era) if name is None else name, kernel)
    script = about.script
    vmlinux = debug_symbols(kernel, progress.note) if typed else None
    folder = matrix.make_folder(output or directories.state() / "debug")
    progress.note(f"booting {kernel}")
    with booted(chosen, bootable, folder, progress, vmlinux, recorded=record is not None) as debuggee:
        where = stop_at(debuggee, script, symbol)
        if interactive:
            seen = by_hand.interact(debuggee, about, where, folder, gdbinit, progress.note)
        elif server:
            seen = by_hand.serve(debuggee, about, where, folder, progress.note)
        else:
            seen = look(debuggee, script, where, lambda sight: show(console, sight))
        if record is not None and debuggee.recording is not None:
            write(record, taken(str(chosen), script.name, debuggee.recording.taken(script, seen)))
        result = excuse(debuggee.judge(seen), known.about(known.read(KNOWN), kernel.version_code))
    reason = f": {result.reason}" if result.reason else ""
    console.print(Text(f"{chosen} {script.name}: {result.verdict}{reason}"), soft_wrap=True)
    return _STATUS.get(result.verdict, 3)


def _only_with(given: bool, option: str, others: str) -> None:
    if given:
        raise UserError(f"{option} does not go with {others}", remedy="leave one of them out")


def _lockstep(
    console: Console,
    lanes: Sequence[Lane],
    name: str,
    output: Path | None,
    progress: LineListener,
    record: Path | None,
    recorded: Path | None,
    at: str | None,
) -> int:
    most = 1 if record or recorded else 2
    if not 1 <= len(lanes) <= most or len(set(lanes)) < len(lanes):
        raise UserError(
            f"--lockstep is for one lane, or for two that differ, not for {len(lanes)}"
            + (", and for one with --record or --against" if most == 1 else ""),
            remedy="name them with --lane",
        )
    other = read(recorded) if recorded else None
    folder = matrix.make_folder(output or directories.state() / "debug")
    found, sides = [], []
    for one, side in in_lockstep(lanes, name, folder, progress):
        found.append(one)
        sides.append(side)
        _show(console, one, len(lanes) > 1)
    if other or len(sides) > 1:
        found.append(held(sides[0], other or sides[1]))
        _show(console, found[-1], True)
    if record:
        write(record, sides[0])
    if at is not None:
        for side in sides:
            show_moment(console, side, at)
    if any(one.examined.difference for one in found):
        return 1
    return 0 if found[-1].examined.whole else 3


def _show(console: Console, one: Held, named: bool) -> None:
    first, *others = one.lines()
    for line in (f"{one.lane}: {first}" if named else first, *others):
        console.print(Text(line), soft_wrap=True)
