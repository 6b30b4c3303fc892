# SPDX-License-Identifier: MIT
"""The history of runs: a SQLite file of every run, and exports in formats of others."""

from __future__ import annotations

from pathlib import Path

import click

from harness.history.store import History
from harness.run.results import RunReport
from hil.errors import HilError


def keep(report: RunReport, folder: Path) -> None:
    """Records a finished run. A failure is only reported in a line: the run folder holds everything."""
    try:
        History().record(report, folder)
    except (HilError, OSError) as error:
        click.echo(f"hil: the run in {folder} is not in the history: {error}", err=True)
