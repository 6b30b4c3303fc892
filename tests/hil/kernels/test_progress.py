# SPDX-License-Identifier: MIT
"""The progress of a long job on a terminal and in a log."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from hil.kernels.progress import Bars, Lines, shown


def test_a_line_for_each_tenth() -> None:
    lines: list[str] = []
    listener = Lines("toy/arm64", lines.append)
    listener.step("downloading")
    for done in range(1001):
        listener.advance(done, 1000)
    assert lines[:3] == ["toy/arm64: downloading", "toy/arm64: downloading: 10 %", "toy/arm64: downloading: 20 %"]
    assert len(lines) == 11


def test_a_line_for_each_thousand_of_an_unknown_total() -> None:
    lines: list[str] = []
    listener = Lines("toy", lines.append)
    listener.step("compiling")
    for done in range(2500):
        listener.advance(done)
    assert lines == ["toy: compiling", "toy: compiling: 1000 lines", "toy: compiling: 2000 lines"]


def test_a_bar_below_the_steps() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=80, color_system=None)
    columns = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[amount]}")
    with Progress(*columns, console=console, auto_refresh=False) as bars:
        listener = Bars("toy", bars)
        listener.step("downloading [1]")
        listener.advance(1, 4)
        bars.refresh()
        listener.step("compiling")
        listener.advance(7)
        bars.refresh()
    for line in ("toy: downloading [1]", "toy 25 %", "toy: compiling", "toy 7 lines"):
        assert line in text.getvalue()


def test_plain_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("toy") as listener:
        listener.step("x" * 200)
    assert capsys.readouterr().err == f"toy: {'x' * 200}\n"
