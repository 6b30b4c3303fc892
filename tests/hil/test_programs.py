# SPDX-License-Identifier: MIT
"""Programs that end with the bench, including their children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from hil import cache, programs
from hil.errors import BenchError

FAMILY = ["sh", "-c", 'sleep 600 & echo $! >"$0"; echo begun; sleep 600']


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return programs.run(argv, environment=os.environ)


def written(path: Path) -> psutil.Process:
    """Wait for a file with a process id; returns that process."""
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return psutil.Process(int(path.read_text()))


def gone(process: psutil.Process) -> bool:
    try:
        process.wait(60)
    except psutil.TimeoutExpired:
        return False
    return True


def test_output_and_exit_status() -> None:
    done = run("sh", "-c", "echo printed; echo complained >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "printed\n", "complained\n")
    assert run("sh", "-c", "kill -KILL $$").returncode == 137
    assert run("cat").stdout == ""
    absent = run("/absent")
    assert (absent.returncode, absent.stderr) == (127, "/absent: No such file or directory\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_all_of_the_family_ends_when_we_do(number: signal.Signals, tmp_path: Path) -> None:
    program = (
        f"import os; from hil import programs; programs.run({[*FAMILY, str(tmp_path / 'pid')]}, environment=os.environ)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as bench:
        child = written(tmp_path / "pid")
        parent = child.parent()
        bench.send_signal(number)
    assert gone(child) and (parent is None or gone(parent))


def test_all_of_them_can_be_ended_from_another_thread(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run(*FAMILY, str(tmp_path / "pid")).returncode))
    thread.start()
    child = written(tmp_path / "pid")
    with programs.stopped():
        thread.join(60)
        assert codes == [143] and gone(child)
        with pytest.raises(BenchError, match="cat was not started"):
            run("cat")
    assert run("true").returncode == 0


def test_a_wait_for_another_process_ends_as_well(tmp_path: Path) -> None:
    messages: list[str] = []
    waits = threading.Event()

    def wait() -> None:
        with pytest.raises(BenchError) as caught, cache.locked(tmp_path / "entry", notify=lambda _: waits.set()):
            pass
        messages.append(str(caught.value))

    with FileLock(tmp_path / ".entry.lock"):
        thread = threading.Thread(target=wait)
        thread.start()
        assert waits.wait(60)
        with programs.stopped():
            thread.join(60)
    assert messages == [f"no longer waiting for the lock of {tmp_path / 'entry'}: the bench is about to end"]


def test_left_over_children_of_a_program_end_with_it(tmp_path: Path) -> None:
    run("sh", "-c", f"sleep 600 >/dev/null 2>&1 & echo $! >{tmp_path}/pid")
    assert not (tmp_path / "pid").exists() or gone(written(tmp_path / "pid"))


def test_missing_program_names_the_package() -> None:
    with pytest.raises(BenchError, match="apt-get install qemu-system-x86") as caught:
        programs.require("qemu-system-absent", "qemu-system-x86")
    assert caught.value.exit_status == 3
