# SPDX-License-Identifier: MIT
"""Logs: plain lines on standard error on request, every detail in a file, and no error where neither can be written."""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from hil import logs

OURS = logging.getLogger("hil.something")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) +\S+ [a-z.]+: .+")


def logged(verbosity: int, body: str) -> tuple[str, str]:
    """The standard output and standard error of a process that logs by the code `body`."""
    program = f"import logging\nfrom hil import logs\nlogs.to_screen({verbosity})\n{body}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [(0, ""), (1, "hil.a: one\nharness.b: three\n"), (2, "hil.a: one\nhil.a: two\nharness.b: three\nparamiko: four\n")],
)
def test_higher_verbosity_logs_more(verbosity: int, expected: str) -> None:
    body = (
        "logging.getLogger('hil.a').info('%s', 'one')\n"
        "logging.getLogger('hil.a').debug('two')\n"
        "logging.getLogger('harness.b').warning('three')\n"
        "logging.getLogger('paramiko').info('four')\n"
        "logging.getLogger('paramiko').debug('five')\n"
    )
    assert logged(verbosity, body) == ("", expected)


def test_a_file_has_every_detail_with_its_time(tmp_path: Path) -> None:
    with logs.to_file(tmp_path / logs.NAME) as log:
        OURS.debug("all of it")
        logging.getLogger("paramiko.transport").info("a login")
        logging.getLogger("paramiko.transport").debug("a packet")
        logging.getLogger("somebody").warning("no business of ours")
    OURS.warning("behind it")
    lines = (tmp_path / logs.NAME).read_text().splitlines()
    assert log.failure is None
    assert [line.rpartition(": ")[2] for line in lines] == ["all of it", "a login"]
    assert all(LINE.fullmatch(line) for line in lines)
    assert "DEBUG   MainThread hil.something: all of it" in lines[0]


def test_levels_are_as_before_when_the_file_is_closed(tmp_path: Path) -> None:
    names = ("hil", "harness", "paramiko", "qemu.qmp")
    before = [logging.getLogger(name).level for name in names]
    with logs.to_file(tmp_path / logs.NAME):
        assert OURS.isEnabledFor(logging.DEBUG)
    assert [logging.getLogger(name).level for name in names] == before


@pytest.mark.parametrize("when", ["at once", "later"])
def test_an_unwritable_log_file_ends_nothing_and_is_reported(
    when: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "absent" / logs.NAME if when == "at once" else Path("/dev/full")
    with logs.to_file(path) as log:
        OURS.info("one")
        OURS.info("two")
    assert isinstance(log.failure, OSError)
    assert log.failure.errno == (errno.ENOENT if when == "at once" else errno.ENOSPC)
    assert capsys.readouterr() == ("", "")


def test_lines_come_above_a_live_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a screen an overwritten line is lost, and one that is printed into the table breaks it."""

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    handler = logs._Screen()
    console = Console(file=screen, force_terminal=True, width=80)
    with Live("the table", console=console, auto_refresh=False, transient=True) as live:
        live.refresh()
        handler.emit(logging.makeLogRecord({"name": "hil.a", "msg": "a line"}))
        live.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "")
    assert "hil.a: a line\nthe table" in shown


def test_a_file_that_standard_error_leads_to_gets_its_lines_beside_a_live_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, screen = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    handler = logs._Screen()
    with Live("the table", console=Console(file=screen, force_terminal=True), auto_refresh=False):
        handler.emit(logging.makeLogRecord({"name": "hil.a", "msg": "a line"}))
    assert file.getvalue() == "hil.a: a line\n"
    assert "a line" not in screen.getvalue()


def test_a_reader_that_is_gone_costs_the_work_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "hil", "-vv", "kernels", "list"],
        stdout=subprocess.PIPE, stderr=writer, text=True, env=environment, timeout=120,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 0 and "debian-12" in done.stdout


def test_the_command_logs_what_it_does_on_request(tmp_path: Path) -> None:
    """Here it fetches a missing kernel from an address without a mirror."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HIL_DEBIAN_MIRROR": "file:///absent"}
    command = ["kernels", "fetch", "debian-12", "--arch", "arm64"]
    output = {}
    for option in ([], ["-v"], ["-vv"]):
        done = subprocess.run(
            [sys.executable, "-m", "hil", *option, *command],
            capture_output=True, text=True, env=environment, timeout=120,
        )  # fmt: skip
        assert done.returncode == 3 and "Traceback" not in done.stderr
        output["".join(option)] = done.stderr
    assert "hil.kernels.store: fetching debian-12/arm64" in output["-v"]
    assert "hil.programs: started apt-get update" in output["-vv"]
    assert "hil.kernels.store" not in output[""] and "hil.programs" not in output["-v"]
