# SPDX-License-Identifier: MIT
"""The supervision of QEMU, with `sleep` in its place."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.machine.process import QemuProcess
from hil.machine.tied import tied


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie has ended, too.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_end_is_reported_with_the_return_code(tmp_path: Path) -> None:
    codes: queue.SimpleQueue[int] = queue.SimpleQueue()
    process = QemuProcess(["sleep", "600"], inherit=(), stderr=tmp_path / "stderr", on_exit=codes.put)
    process.send(signal.SIGKILL)
    assert codes.get(timeout=30) == -signal.SIGKILL
    assert process.wait(30)
    process.send(signal.SIGKILL)


def test_complaints_are_kept(tmp_path: Path) -> None:
    process = QemuProcess(["ls", "/absent"], inherit=(), stderr=tmp_path / "stderr", on_exit=lambda code: None)
    assert process.wait(30)
    assert process.returncode not in (0, None)
    assert "/absent" in (tmp_path / "stderr").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_does_not_outlive_the_bench(number: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time; from hil.machine.process import QemuProcess;"
        "p = QemuProcess(['sleep', '600'], inherit=(), stderr=pathlib.Path(sys.argv[1]), on_exit=print);"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "stderr")], stdout=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stdout is not None
        pid = int(bench.stdout.readline())
        # Before that, it would end for another reason: `tied` checks that the bench is alive.
        assert _eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
        bench.send_signal(number)
    assert _eventually(lambda: _gone(pid))


def test_survives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    processes: list[QemuProcess] = []
    thread = threading.Thread(
        target=lambda: processes.append(
            QemuProcess(["sleep", "600"], inherit=(), stderr=tmp_path / "stderr", on_exit=lambda code: None)
        )
    )
    thread.start()
    thread.join()
    [process] = processes
    # The death signal would have been sent at the end of the thread that forked.
    assert not process.wait(0.3)
    process.send(signal.SIGKILL)
    assert process.wait(30)


def test_a_program_whose_bench_is_gone_is_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A parent other than the one named: the bench died before the death signal was requested.
    marker = tmp_path / "started"
    for pid, started in ((1, False), (os.getpid(), True)):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        done = subprocess.run(tied(["touch", str(marker)]), capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) is marker.exists() is started
        assert done.stderr == ("" if started else "the bench is gone\n")


def test_a_host_without_setpriv_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="setpriv is not installed") as caught:
        QemuProcess(["sleep", "600"], inherit=(), stderr=tmp_path / "stderr", on_exit=print)
    assert "util-linux" in caught.value.remedy


def test_a_program_learns_of_a_file_that_grew_too_large(tmp_path: Path) -> None:
    """It is not killed: a QEMU that writes its trace or its state then says what is wrong."""
    said = subprocess.run(
        tied(["sh", "-c", "ulimit -f 0; cat /etc/passwd >too-large"]),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert said.returncode == 1 and "File too large" in said.stderr
