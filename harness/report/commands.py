# SPDX-License-Identifier: MIT
"""`hil report`: a run as a page."""

from __future__ import annotations

from pathlib import Path

import click

from harness.history.find import find
from harness.jobs import completing
from harness.regress import baseline as known
from harness.report import badge, markdown, page
from hil.whole import write_whole

_TEXTS = {"markdown": markdown.render, "badge": badge.render}
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("run", shell_complete=completing.run)
@click.option("--format", "format_", type=click.Choice(["html", *_TEXTS]), default="html", show_default=True)
@click.option("-o", "--output", type=_FILE, help="report.html if there is none; other formats go to the terminal.")
@click.option("--baseline", type=_FILE, help="A file of divergences that count as known; see `hil baseline`.")
def report(run: str, format_: str, output: Path | None, baseline: Path | None) -> None:
    """Write a run as one HTML file, as a summary in Markdown for a CI job's page, or as the JSON of a badge.

    RUN is a number of `hil history list`, `latest`, a run folder or a results.json.
    """
    found = find(run)
    shown = known.excused(found.report, known.read(baseline)) if baseline else found.report
    if format_ == "html":
        output = output or Path("report.html")
        page.write(shown, found.folder, output)
        click.echo(f"{found.name}: {output}")
        return
    text = _TEXTS[format_](shown)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
