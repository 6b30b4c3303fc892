# SPDX-License-Identifier: MIT
"""`python -m ci.screenshots RUN`: pictures of a run for the documentation, in docs/images.

The report comes from headless Chromium, wide in the light scheme and narrow in the dark one; the terminal's output is
drawn by rich itself, which needs no browser.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from harness.history.find import find
from harness.report import page
from harness.report.summary import summarize
from hil.errors import BenchError, HilError

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURES = {"report.png": (1200, 900, 1), "report-narrow-dark.png": (400, 900, 0)}
"""The pictures: width and height in pixels, and the number of the scheme in Blink's setting preferredColorScheme."""
COLUMNS = 110


@click.command()
@click.argument("run")
def main(run: str) -> None:
    """Draw RUN, a number of `hil history list`, `latest`, a run folder or a results.json."""
    try:
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            raise BenchError(f"none of {', '.join(BROWSERS)} is installed", remedy="apt-get install chromium")
        found = find(run)
        # Whose host it was is nobody's business.
        report = replace(found.report, host={**found.report.host, "system": "Linux"})
        IMAGES.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            shown = Path(folder) / "report.html"
            page.write(report, found.folder, shown)
            for name in PICTURES:
                _photograph(browser, shown, name)
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
        summarize(console, report, found.folder or Path("(gone)"))
        drawn = console.export_svg(title=report.title).splitlines()
        (IMAGES / "terminal.svg").write_text("".join(f"{line.rstrip()}\n" for line in drawn))
    except HilError as error:
        sys.exit(f"screenshots: {error}")


def _photograph(browser: str, shown: Path, name: str) -> None:
    target = IMAGES / name
    width, height, scheme = PICTURES[name]
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        f"--blink-settings=preferredColorScheme={scheme}",
        f"--window-size={width},{height}",
        *(f"--screenshot={target}", shown.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode or not target.exists():
        raise BenchError(
            f"{browser} took no picture", details=done.stderr, remedy="start it by hand with these options"
        )
    click.echo(target)


if __name__ == "__main__":
    main()
