# SPDX-License-Identifier: MIT
"""What people and logs of CI see of a long job."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from hil.kernels.progress import Bars, Lines, shown


def test_a_line_for_each_tenth() -> None:
    lines: list[str] = []
    told = Lines("toy/arm64", lines.append)
    told.step("downloading")
    for done in range(1001):
        told.advance(done, 1000)
    assert lines[:3] == ["toy/arm64: downloading", "toy/arm64: downloading: 10 %", "toy/arm64: downloading: 20 %"]
    assert len(lines) == 11


def test_a_line_for_each_thousand_of_nobody_knows_how_many() -> None:
    lines: list[str] = []
    told = Lines("toy", lines.append)
    told.step("compiling")
    for done in range(2500):
        told.advance(done)
    assert lines == ["toy: compiling", "toy: compiling: 1000 lines", "toy: compiling: 2000 lines"]


def test_a_bar_below_the_steps() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=80, color_system=None)
    columns = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[amount]}")
    with Progress(*columns, console=console, auto_refresh=False) as bars:
        told = Bars("toy", bars)
        told.step("downloading [1]")
        told.advance(1, 4)
        bars.refresh()
        told.step("compiling")
        told.advance(7)
        bars.refresh()
    for line in ("toy: downloading [1]", "toy 25 %", "toy: compiling", "toy 7 lines"):
        assert line in text.getvalue()


def test_plain_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("toy") as told:
        told.step("x" * 200)
    assert capsys.readouterr().err == f"toy: {'x' * 200}\n"
