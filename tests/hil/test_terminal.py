# SPDX-License-Identifier: MIT
"""The output of commands on a screen, and in a log or pipe: nothing is cut, and only screens are overwritten."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from hil import terminal
from hil.printable import printable

HEADINGS = ("lane", "verdicts", "what it says")
ROWS = (("debian-12/x86_64/interp", "12 agree", "a word " * 8), ("debian-12/arm64/jit", "", "short"))


def printed(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    terminal.print_table(console, HEADINGS, ROWS)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_rows_are_columns_where_they_fit() -> None:
    head, *rows = printed(120)
    assert [len(printed(120)), head.split()] == [3, ["lane", "verdicts", "what", "it", "says"]]
    assert [row.index("12 agree") for row in rows[:1]] == [head.index("verdicts")]


def test_rows_are_paragraphs_where_they_do_not_fit() -> None:
    assert printed(60) == [
        "debian-12/x86_64/interp",
        "    verdicts: 12 agree",
        f"    what it says: {'a word ' * 8}".rstrip(),
        "debian-12/arm64/jit",
        "    what it says: short",
    ]


def test_columns_that_fold_keep_the_table() -> None:
    console = Console(file=io.StringIO(), width=60)
    terminal.print_table(console, HEADINGS, ROWS, folding=HEADINGS[2:])
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[0].split() == ["lane", "verdicts", "what", "it", "says"] and max(map(len, lines)) <= 60
    assert lines[1].startswith("debian-12/x86_64/interp  12 agree") and lines[2].startswith(" " * 35)
    assert "".join(lines).count("word") == 8, "nothing is cut"


def test_a_screen_that_is_too_narrow_to_fold_gets_paragraphs() -> None:
    console = Console(file=io.StringIO(), width=40)
    terminal.print_table(console, HEADINGS, ROWS, folding=HEADINGS[2:])
    assert console.file.getvalue().splitlines()[1] == "    verdicts: 12 agree"


def hil(*arguments: str, **environment: str) -> str:
    """The output of a command to a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "hil", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    return done.stdout


def on_screen(columns: int, *arguments: str) -> str:
    """The output of a command on a terminal with `columns` columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-m", "hil", *arguments], stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # Linux gives EIO for a terminal whose other side is closed
    finally:
        os.close(ours)
        process.wait(60)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


LANES = [f"{kernel}/{arch}" for kernel in ("debian-12", "linux-4.1") for arch in ("x86_64", "arm64")]


@pytest.mark.parametrize("columns", ["80", "20"])
def test_a_pipe_gets_whole_names_whatever_the_screen_is(columns: str) -> None:
    for command in (("lanes",), ("kernels", "list")):
        output = hil(*command, COLUMNS=columns)
        rows = [line for line in output.splitlines() if re.match(r"debian-12\b(?!@)", line)]
        assert len(rows) == 2
        assert not any(line.startswith(" ") for line in output.splitlines()), "a row is a line"


def test_a_narrow_screen_gets_whole_names() -> None:
    lines = on_screen(80, "lanes").splitlines()
    assert [lane for lane in LANES if lane not in lines] == []
    assert "    kern_version: must match" in lines


def test_colours_in_a_log_bring_no_control_of_a_cursor_and_keep_its_lines(tmp_path: Path) -> None:
    output = hil(
        *("run", "--kernel", "linux-4.1", "--scripts", "counting", "--output", str(tmp_path / "runs")),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        XDG_STATE_HOME=str(tmp_path / "state"),
        FORCE_COLOR="1",
    )
    assert "\x1b[" in output, "colours were asked for"
    assert set(re.findall(r"\x1b\[[^m]*?([A-Za-z])", output)) == {"m"}, output
    assert "linux-4.1-x86_64: kernel" in output


def test_nothing_controls_a_terminal_but_the_bench() -> None:
    assert printable("a\x1b[31m\nb\x85\udcff\tünï ☃") == "a\\x1b[31m\\nb\\x85\\udcff\tünï ☃"
    console = Console(file=io.StringIO(), width=80)
    terminal.print_table(console, ("file",), [("new\nline\x1b[2J",)])
    assert "new\\nline\\x1b[2J" in console.file.getvalue()
