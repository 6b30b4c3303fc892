# SPDX-License-Identifier: MIT
"""Options that commands which run scripts have in common."""

from __future__ import annotations

import click

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
strict = click.option("--strict", is_flag=True, help="The same, and fail when an operation fails unexpectedly.")
