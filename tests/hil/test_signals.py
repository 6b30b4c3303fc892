# SPDX-License-Identifier: MIT
"""Signals that ask for the end, sent by the command to itself at critical times."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hil.signals import ASKING

_PROGRAM = """
import atexit, os, signal
from pathlib import Path
import click
from hil import cli, signals

def send(name):
    os.kill(os.getpid(), getattr(signal, name))

@click.command()
def command():
{body}
{before}
cli.hil.get_command = lambda *_: command
cli.main()
"""


def run(body: str, before: str = "", wrapper: tuple[str, ...] = ()) -> tuple[int, str]:
    """The return code and the messages of a command that runs the code `body`."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    argv = [*wrapper, sys.executable, "-c", _PROGRAM.format(body=lines, before=before), "command"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize("second", ASKING)
@pytest.mark.parametrize("first", ASKING)
def test_a_second_signal_does_not_cost_what_is_written_on_the_way_out(
    first: signal.Signals, second: signal.Signals, tmp_path: Path
) -> None:
    body = (
        f"try:\n    send({first.name!r})\nfinally:\n    send({second.name!r})\n"
        f"    Path({str(tmp_path)!r}, 'left').touch()"
    )
    assert run(body) == (128 + first, f"hil: ended by {first.name}\n")
    assert (tmp_path / "left").exists()


@pytest.mark.parametrize("line", range(8))
def test_a_second_signal_may_come_while_the_first_is_handled(line: int) -> None:
    """The second signal comes before line `line` of the handler; exit status and message are of the same signal."""
    tracing = (
        "import sys\n"
        "seen = 0\n"
        "def trace(frame, event, argument):\n"
        "    global seen\n"
        "    if frame.f_code is not signals._handle.__code__:\n"
        "        return None\n"
        "    if event == 'line':\n"
        "        seen += 1\n"
        f"        if seen == {line + 1}:\n"
        "            send('SIGTERM')\n"
        "    return trace\n"
        "atexit.register(sys.settrace, None)\n"  # later the names that the handler uses are deleted
    )
    code, output = run("sys.settrace(trace)\nsend('SIGINT')\nreturn 7", before=tracing)
    assert (code, output) in ((130, "hil: ended by SIGINT\n"), (143, "hil: ended by SIGTERM\n"))


def test_a_third_signal_ends_it_at_once(tmp_path: Path) -> None:
    body = (
        "try:\n    send('SIGTERM')\nfinally:\n    send('SIGINT')\n    send('SIGINT')\n"
        f"    Path({str(tmp_path)!r}, 'left').touch()"
    )
    assert run(body) == (143, "hil: ended by SIGTERM\n")
    assert not (tmp_path / "left").exists()


def test_what_is_worth_nothing_by_halves_is_done_first(tmp_path: Path) -> None:
    body = (
        "signals.defer()\nsend('SIGTERM')\n"
        f"Path({str(tmp_path)!r}, 'held').touch()\n"
        f"signals.deliver()\nPath({str(tmp_path)!r}, 'delivered').touch()"
    )
    assert run(body) == (143, "hil: ended by SIGTERM\n")
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


@pytest.mark.parametrize("number", ASKING)
def test_one_that_comes_while_the_interpreter_is_taken_apart_changes_nothing(number: signal.Signals) -> None:
    assert run("return 1", before=f"atexit.register(send, {number.name!r})") == (1, "")


def test_a_signal_in_a_destructor_is_not_lost() -> None:
    body = (
        "import time\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        send('SIGTERM')\n"
        "        sum(range(100))\n"
        "Late()\n"
        "time.sleep(60)"
    )
    assert run(body) == (143, "hil: ended by SIGTERM\n")


def test_an_ignored_hangup_stays_ignored() -> None:
    """nohup(1) does this."""
    assert run("send('SIGHUP')", wrapper=("sh", "-c", 'trap "" HUP; exec "$@"', "sh")) == (0, "")


def test_programs_that_are_started_heed_signals_as_ever() -> None:
    body = "import subprocess\nraise SystemExit(-subprocess.run(['sh', '-c', 'kill -TERM $$']).returncode)"
    assert run(body) == (15, "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    "command", [("-m", "hil"), ("-m", "harness.bpf_conformance"), ("hil",), ("hil-plugin",)], ids=" ".join
)
def test_a_signal_that_comes_while_modules_are_loaded_is_no_traceback(
    command: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    """A replacement of click, the first slow import, sends the signal."""
    (tmp_path / "click.py").write_text(f"import os, signal\nos.kill(os.getpid(), signal.{name})\n")
    assert begun(command, tmp_path) == (128 + getattr(signal, name), "", f"hil: ended by {name}\n")


@pytest.mark.parametrize("command", [("hil",), ("hil-plugin",)], ids=" ".join)
def test_an_interrupt_before_the_handlers_are_there_is_no_traceback(command: tuple[str, ...], tmp_path: Path) -> None:
    """A replacement of the first module that `hil.signals` imports and Python itself has not, sends it."""
    (tmp_path / "contextlib.py").write_text("import _signal, os\nos.kill(os.getpid(), _signal.SIGINT)\n")
    assert begun(command, tmp_path) == (130, "", "hil: ended by SIGINT\n")


def begun(command: tuple[str, ...], modules: Path) -> tuple[int, str, str]:
    """Returns exit status and output of a command whose modules are looked for in a folder first."""
    installed = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    argv = [sys.executable, *command] if command[0] == "-m" else installed
    done = subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(modules)}, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr
