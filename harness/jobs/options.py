# SPDX-License-Identifier: MIT
"""Options that commands which run scripts have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from harness.jobs import completing
from harness.lane import kernels, listed
from harness.run import places
from harness.run.places import Places, Reach
from hil.board.lab import PREFIX, Lab
from hil.board.reaching import COMES_BACK
from hil.config import shared
from hil.errors import UserError
from hil.kernels import catalogue
from hil.machine import states

DEFAULT_LANES = catalogue.DEFAULT
lanes = shared(
    "--lanes",
    metavar="LANE,...",
    default=DEFAULT_LANES,
    show_default=True,
    shell_complete=completing.lanes,
    help="Only lanes that match one of these KERNEL/ARCH/ENGINE; parts left out and wildcards mean any.",
)
"""The option of every command that runs on lanes; `hil lanes` lists them."""
jobs = shared("--jobs", type=click.IntRange(1), help="Machines at once; by default one for each CPU.")
output = shared(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made, in a new folder."
)
require = shared(
    "--require",
    metavar="KERNELS",
    multiple=True,
    shell_complete=completing.kernel,
    callback=lambda context, parameter, given: tuple(kernels(given)),
    help="Kernels whose lanes must not be unsupported, by commas or blanks. Repeatable.",
)
repeat = shared(
    "--repeat", "rounds", default=1, show_default=True, type=click.IntRange(1), help="How often every script is run."
)
"""The option of every command whose scripts can be repeated; a script that differs from round to round is flaky, and
fails the run."""
require_predicted = shared(
    "--require-predicted/--no-require-predicted",
    help="Fail when neither the model nor a clause predicts an operation, whatever other lanes gave.",
)


def _decide_on_states(context: click.Context, parameter: click.Parameter, cold: bool) -> None:
    if context.get_parameter_source(str(parameter.name)) is not ParameterSource.DEFAULT:
        os.environ[states.COLD] = str(int(cold))  # also for programs that we start


cold = shared(
    "--cold/--no-cold",
    expose_value=False,
    callback=_decide_on_states,
    help="Boot every machine: restore none from a saved state, save none.",
)
"""The option of every command that starts machines."""
on_divergence = click.option(
    "--on-divergence",
    type=click.Choice(["lockstep"]),
    help="Run the first scripts of a lane that diverge once more, every instruction compared: docs/lockstep.md.",
)
strict = shared("--strict/--no-strict", help="The same, and fail when an operation fails unexpectedly.")


def wanted_lanes(lanes: str, kernels: Sequence[str]) -> list[str]:
    """The patterns of --lanes and the kernels of --kernel; where the latter alone are on the command line, these."""
    source = click.get_current_context().get_parameter_source("lanes")
    given = listed(lanes) if source is ParameterSource.COMMANDLINE or not kernels else []
    return [*given, *kernels]


_ADDRESS = "ssh://[USER@]HOST[:PORT]|labgrid:FILE[#ROLE]"


def target(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options by which a command runs on a board; it gets them as `target`, `ssh_config`, `target_config` and
    `target_timeout`, for `chosen_places`."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option(
            "--target-timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            default=COMES_BACK,
            show_default=True,
            help="The time a board has to boot, and to answer again when it was lost.",
        ),
        click.option("--target-config", type=file, help="The .config of the board's kernel, where it shows none."),
        click.option("--ssh-config", type=file, help="Instead of ~/.ssh/config, for --target."),
        click.option("--target", metavar=_ADDRESS, help="A board instead of lanes that are booted."),
    ):
        command = option(command)
    return command


def of_a_run(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds all options of a command that runs scripts and judges them, but for lanes and scripts."""
    for option in (output, target, on_divergence, repeat, strict, require_predicted, require, cold, jobs):
        command = option(command)
    return command


def chosen_places(patterns: Sequence[str], console: Console) -> Places:
    """Returns the places that the options of the running command choose: lanes that match a pattern, or those of a
    board. What the board is, the console tells."""
    context = click.get_current_context()
    given = context.params
    if given["target"] is None:
        for name in ("ssh_config", "target_config", "target_timeout"):
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise UserError(f"--{name.replace('_', '-')} is about a board", remedy="give --target, too")
        return places.places(patterns)
    if context.get_parameter_source("lanes") is not ParameterSource.COMMANDLINE and not given.get("kernels"):
        patterns = ["*"]

    def tell(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    lab = Lab(given["target"]) if given["target"].startswith(PREFIX) else None
    if lab is not None:
        context.call_on_close(lambda: lab.release(tell))
    reach = Reach(given["target"], given["ssh_config"], given["target_config"], given["target_timeout"], lab)
    return places.places(patterns, reach, tell)
