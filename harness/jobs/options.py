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

from harness.run import places
from harness.run.places import Places, Reach
from hil.errors import UserError
from hil.machine import states

DEFAULT_LANES = "debian-12"
repeat = click.option(
    "--repeat", "rounds", default=1, show_default=True, type=click.IntRange(1), help="How often every script is run."
)
"""The option of every command whose scripts can be repeated; a script that differs from round to round is flaky, and
fails the run."""
require_predicted = click.option(
    "--require-predicted",
    is_flag=True,
    help="Fail when neither the model nor a clause predicts an operation, whatever other lanes gave.",
)


def _turn_states_off(_context: click.Context, _parameter: click.Parameter, cold: bool) -> None:
    if cold:
        os.environ[states.COLD] = "1"  # also for programs that we start


cold = click.option(
    "--cold",
    is_flag=True,
    expose_value=False,
    callback=_turn_states_off,
    help=f"Boot every machine: restore none from a saved state, save none. As {states.COLD}=1 does.",
)
"""The option of every command that starts machines."""
strict = click.option("--strict", is_flag=True, help="The same, and fail when an operation fails unexpectedly.")


def target(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options by which a command runs on a board; it gets them as `target`, `ssh_config` and `target_config`,
    for `chosen_places`."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option("--target-config", type=file, help="The .config of the board's kernel, where it shows none."),
        click.option("--ssh-config", type=file, help="Instead of ~/.ssh/config, for --target."),
        click.option("--target", metavar="ssh://[USER@]HOST[:PORT]", help="A board instead of lanes that are booted."),
    ):
        command = option(command)
    return command


def chosen_places(patterns: Sequence[str], console: Console) -> Places:
    """Returns the places that the options of the running command choose: lanes that match a pattern, or those of a
    board. What the board is, the console tells."""
    context = click.get_current_context()
    given = context.params
    if given["target"] is None:
        for name in ("ssh_config", "target_config"):
            if given[name] is not None:
                raise UserError(f"--{name.replace('_', '-')} is about a board", remedy="give --target, too")
        return places.places(patterns)
    if context.get_parameter_source("lanes") is not ParameterSource.COMMANDLINE and not given.get("kernels"):
        patterns = ["*"]
    reach = Reach(given["target"], given["ssh_config"], given["target_config"])
    return places.places(
        patterns, reach, lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True)
    )
