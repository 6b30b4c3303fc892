"""`hil report`: a run as a page."""

from __future__ import annotations

from pathlib import Path

import click

from harness.history.find import find
from harness.report import page


@click.command()
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
def report(run: str, output: Path) -> None:
    """Write a run as one HTML file. RUN is a number of `hil history list`, `latest`, a run folder or a results.json."""
    found = find(run)
    page.write(found.report, found.folder, output)
    click.echo(f"{found.name}: {output}")
