# SPDX-License-Identifier: MIT
"""`hil plugin`, and `hil-plugin`, which is the same as one word, because the suite's runner wants one."""

from __future__ import annotations

import sys

import click

from harness.bpf_conformance import by_model, client
from harness.bpf_conformance.home import home, homes
from harness.bpf_conformance.request import read
from harness.jobs import completing
from harness.lane import Engine
from harness.model.eras import ERAS
from harness.programs.lanes import environment
from harness.programs.source import MOST_CONTENT
from hil import cli
from hil.arch import architectures
from hil.errors import UserError

NEWEST = [*ERAS][-1]


@click.command(context_settings=cli.CONTEXT)
@click.argument("memory", required=False, default="")
@click.option("--program", metavar="HEX", help="The program; by default it is read from standard input.")
@click.option("--elf", is_flag=True, help="The program is an object file.")
@click.option("--debug", is_flag=True, help="Accepted for the suite's sake: errors always come with their details.")
@click.option("--era", type=click.Choice([*ERAS]), default=NEWEST, show_default=True, help="The model's release.")
@click.option(
    "--arch", type=click.Choice([*architectures()]), default="x86_64", show_default=True, help="Of the model."
)
@click.option(
    "--engine", type=click.Choice([e.value for e in Engine]), default="jit", show_default=True, help="Of the model."
)
@click.option(
    "--lane",
    metavar="KERNEL/ARCH/ENGINE",
    shell_complete=completing.lane,
    help="Run on a kernel instead of the model.",
)
@click.option(
    "--idle",
    type=click.FloatRange(1, 86400),
    default=300,
    show_default=True,
    help="Seconds without a call after which the lane's machine ends.",
)
@click.option("--stop", is_flag=True, help="End the machine of --lane, or of every lane, and run nothing.")
def plugin(
    memory: str,
    program: str | None,
    elf: bool,
    debug: bool,
    era: str,
    arch: str,
    engine: str,
    lane: str | None,
    idle: float,
    stop: bool,
) -> int:
    """Serve one call of bpf_conformance: run a program with R1 at the bytes MEMORY (hexadecimal) and R2 their number.

    The machine of a lane is started by the first call and kept for those that follow.

    Exit status: 0 R0 is on standard output, 1 the program was refused or did not return, 2 wrong input, 3 the bench.
    """
    if stop:
        for place in [home(lane)] if lane else homes():
            if client.stop(place):
                click.echo(f"stopped {place.lane}", err=True)
        return 0
    request = read(_program(program), memory, elf=elf)
    if lane:
        result = client.ask(home(lane), request, idle)
    else:
        result = by_model.execute(environment(era, arch, engine), request)
    click.echo(f"{result:x}")
    return 0


def main() -> None:
    """Entry point of `hil-plugin`."""
    cli.main(plugin)


def _program(given: str | None) -> str:
    if given is not None:
        return given
    content = sys.stdin.buffer.read(3 * MOST_CONTENT)
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise UserError(
            "the program is not hexadecimal", remedy="write two digits a byte, as in `b7 00 00 00`"
        ) from None
