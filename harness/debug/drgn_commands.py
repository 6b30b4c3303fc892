# SPDX-License-Identifier: MIT
"""`hil drgn`: drgn on a guest that is stopped where it runs the program of a script."""

from __future__ import annotations

import traceback
from pathlib import Path

import click
from rich.text import Text

from harness.core_scripts import KNOWN
from harness.debug.choosing import one_lane, stop_at, usual
from harness.debug.debuggee import booted
from harness.debug.in_drgn import layout, of_script, program, require_drgn, run, shell
from harness.debug.looking import Snapshot, look
from harness.debug.showing import show
from harness.debug.subject import offered, subject
from harness.jobs import completing
from harness.jobs.options import output
from harness.run import known, matrix
from harness.run.known import excuse
from harness.session import LineListener, prepare
from hil import directories, terminal
from hil.completing import one_of
from hil.errors import UserError
from hil.gdb.command import require_gdb
from hil.gdb.symbols import check_build
from hil.kernels.debug_symbols import debug_symbols
from hil.signals import Ended


@click.command("drgn")
@click.argument("lane", shell_complete=completing.lane)
@click.argument("words", nargs=-1, metavar="[-- SCRIPT.py [ARGUMENTS]...]")
@click.option("--script", "name", shell_complete=one_of(offered), help="What the guest runs, as for hil debug.")
@click.option("--break", "symbol", metavar="SYMBOL", help="Where to stop; by default the function that runs programs.")
@output
def drgn(lane: str, words: tuple[str, ...], name: str | None, symbol: str | None, output: Path | None) -> int:
    """Boot LANE, stop its kernel where it runs the program of a script, and open drgn there: its shell, or a SCRIPT.py.

    `prog` is the kernel, as in drgn; `stopped` has `registers` and `arguments` of the CPU by name. The kernel's debug
    symbols are fetched the first time, as by hil debug --debug-symbols. drgn is the extra hil[drgn].

    Exit status: 0, or 1 when SCRIPT.py failed, or what it passes to sys.exit.
    """
    console = terminal.console()
    progress = LineListener(lambda line: console.print(Text(line, style="dim"), soft_wrap=True))
    chosen = one_lane(lane)
    # These fail before anything boots.
    require_drgn(chosen.arch)
    require_gdb()
    if words and not Path(words[0]).is_file():
        raise UserError(f"there is no file {words[0]}", remedy="name a script for drgn, or none for its shell")
    bootable = prepare(chosen.kernel, chosen.arch, progress)
    kernel = bootable.kernel
    script = subject(usual(chosen.arch, kernel.era) if name is None else name, kernel).script
    vmlinux = debug_symbols(kernel, progress.note)
    folder = matrix.make_folder(output or directories.state() / "debug")
    status = 0

    def open_drgn(sight: Snapshot) -> None:
        nonlocal status
        with program(machine, where, vmlinux, folder) as found:
            if not words:
                show(console, sight)
                shell(found, {"stopped": sight})
                return
            try:
                run(found, words, {"stopped": sight})
            except Ended:
                raise
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception as error:
                traceback.print_exception(error.with_traceback(of_script(error, words[0])))
                status = 1

    progress.note(f"booting {kernel}")
    with booted(chosen, bootable, folder, progress) as debuggee:
        machine = debuggee.machine
        check_build(vmlinux, kernel, machine)
        place, where = stop_at(debuggee, script, symbol), layout(machine)
        result = excuse(
            debuggee.judge(look(debuggee, script, place, open_drgn)),
            known.about(known.read(KNOWN), kernel.version_code),
        )
    reason = f": {result.reason}" if result.reason else ""
    progress.note(f"{chosen} {script.name}: {result.verdict}{reason}")
    return status
