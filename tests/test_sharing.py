# SPDX-License-Identifier: MIT
"""Workers of pytest-xdist take what boots machines first, and a file whole; and it is told what they are at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.sharing import Running
from tests.test_lint import commands
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[1]
SHORT = "import pytest\ndef test_one(): pass\ndef test_other(): pass\n"
GUEST = SHORT + "@pytest.mark.guest\ndef test_guest(): pass\n"


def test_each_file_has_one_worker_and_machines_are_first(tmp_path: Path) -> None:
    """With the options of `make test`, except for how many workers there are."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_collection_modifyitems\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = guest: boots a machine\n")
    files = {"test_a.py": SHORT, "test_b.py": SHORT, "test_c.py": GUEST, "test_d.py": SHORT, "test_e.py": GUEST}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    program, *options = commands("test")[-1].split()
    assert program == ".venv/bin/pytest"
    command = [sys.executable, "-m", "pytest", "-p", "no:hil", *options, "-v", "-n", "2"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [(words[0], words[-1]) for line in done.stdout.splitlines() if "PASSED" in (words := line.split())]
    assert len(ran) == 12
    workers = {name: {worker for worker, test in ran if test.startswith(name)} for name in files}
    assert all(len(some) == 1 for some in workers.values()), workers
    assert set(dict(reversed(ran)).values()) == {"test_c.py::test_guest", "test_e.py::test_guest"}


def test_what_is_still_running_is_told() -> None:
    lines: list[str] = []
    running = Running(lines.append, period=0.01)
    running.pytest_sessionstart()

    def told(line: str) -> None:
        until(lambda: any(one.startswith(line) for one in lines))

    told("still collecting the tests: 0 s")
    running.pytest_runtest_logstart("a.py::test_a")
    told("still running a.py::test_a: 0 s")
    running.pytest_runtest_logstart("b.py::test_b")
    told("still running a.py::test_a: 0 s, b.py::test_b: 0 s")
    running.pytest_runtest_logfinish("a.py::test_a")
    told("still running b.py::test_b: 0 s")
    running.pytest_runtest_logstart("c.py::test_c")
    running.pytest_handlecrashitem("b.py::test_b")
    told("still running c.py::test_c: 0 s")
    running.pytest_sessionfinish()
