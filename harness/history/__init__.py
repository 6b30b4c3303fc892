# SPDX-License-Identifier: MIT
"""Runs that last: a SQLite file of every run, and the formats others read them in."""

from __future__ import annotations

from pathlib import Path

import click

from harness.history.store import History
from harness.run.results import RunReport
from hil.errors import HilError


def keep(report: RunReport, folder: Path) -> None:
    """Record a finished run. Failure is told in a line and no more: the run folder holds everything."""
    try:
        History().record(report, folder)
    except (HilError, OSError) as error:
        click.echo(f"hil: the run in {folder} is not in the history: {error}", err=True)
