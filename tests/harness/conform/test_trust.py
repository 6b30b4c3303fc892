# SPDX-License-Identifier: MIT
"""Whether a run can be trusted: the same verdicts twice, a kernel that was changed is told, and what ends it early."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.compare import Verdict
from harness.core_scripts import core_scripts
from harness.history.store import History
from harness.lane import Engine, Lane
from harness.lowering.engine import JIT_SWITCH
from harness.regress.change import Kind, changes
from harness.regress.side import whole
from harness.run.plan import Share
from harness.run.results import RunReport, ScriptResult
from harness.run.worker import Worker
from hil.arch import architecture
from hil.kernels import store
from hil.signals import ASKING
from tests.borrowed_kernels import forget

pytestmark = pytest.mark.guest

ONE_LANE = ("conform", "--lanes", "debian-12/arm64/interp", "--clauses", "ATTACH-03")
MANY = ("conform", "--lanes", "debian-12/arm64", "--clauses", "ATTACH-*,DET-*,RB-*,RUN-*")


def hil(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hil", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800)


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hil", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until(process: subprocess.Popen[str], words: str) -> None:
    """Read what it prints up to a line with `words`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"it never said {words!r}: {''.join(seen)}")


def machines(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children(recursive=True) if "qemu" in child.name()]


def written(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "latest" / "results.json").read_text())
    return report


def verdicts(report: dict[str, Any]) -> Counter[str]:
    return Counter(result["verdict"] for result in report["results"])


def history_is_sound() -> bool:
    with closing(sqlite3.connect(History().path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_two_runs_at_once_give_the_same_verdicts_and_do_not_meet(tmp_path: Path) -> None:
    """Same cache, same history, same place for run folders."""
    both = [started(*ONE_LANE, "--output", tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    folders = [match[1] for text in said if (match := re.search(r"run folder: (\S+)", text))]
    assert len(set(folders)) == 2
    kept = {str(entry.folder): entry for entry in History().entries(50)}
    assert all(kept[folder].exit_status == 0 for folder in folders)
    assert history_is_sound()
    done = hil("compare", *folders)
    assert (done.returncode, done.stdout) == (0, "1 compared: 0 worse, 0 fixed, 0 other changes\n")


@pytest.fixture
def mine() -> Iterator[str]:
    name = f"mine-{os.getpid()}"
    yield name
    forget(name, architecture("arm64"))


def test_another_kernel_under_the_same_name_is_told(tmp_path: Path, mine: str) -> None:
    for real in ("debian-13", "debian-12"):
        kernel = store.get(real, architecture("arm64"))
        assert kernel.modules is not None
        hil("kernels", "remove", mine, "--arch", "arm64")
        parts = ("--arch", "arm64", "--image", kernel.image, "--config", kernel.config, "--modules", kernel.modules)
        done = hil("kernels", "import", mine, *parts)
        assert done.returncode == 0, done.stderr
        done = hil("conform", "--lanes", f"{mine}/arm64/interp", "--clauses", "ATTACH-03", "--output", tmp_path / real)
        assert done.returncode == 0, done.stdout + done.stderr
    done = hil("compare", tmp_path / "debian-13" / "latest", tmp_path / "debian-12" / "latest")
    assert done.returncode == 0  # both kernels do what is right of each
    for fact in ("uname", "image sha256", "config sha256"):
        assert re.search(rf"^{mine}/arm64: {fact}: \S.* -> \S", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"uname: Linux hil 6\.12\..* -> Linux hil 6\.1\.", done.stdout)


def test_a_jit_that_is_off_behind_the_sysctls_back_makes_its_lane_unsupported_and_a_comparison_fail(
    tmp_path: Path,
) -> None:
    script = core_scripts("arm64", "6.1")[0]
    share = Share("debian-12", "arm64", tuple(Engine), (script,))

    class Saboteur:
        def state(self, share: Share, text: str) -> None:
            pass

        def done(self, lane: Lane, result: ScriptResult) -> None:
            """Between the lanes, a file that anybody may write to takes the sysctl's place."""
            if lane.engine is Engine.INTERP:
                assert worker.machine is not None
                mount = f"echo 0 >/tmp/switch && mount -o bind /tmp/switch {JIT_SWITCH}"
                assert not worker.machine.run(["sh", "-c", mount]).status

    worker = Worker(share, tmp_path, Saboteur())
    worker.run()
    interpreted, translated = worker.results
    assert interpreted.verdict is Verdict.AGREE
    assert translated.verdict is Verdict.UNSUPPORTED
    assert "left a program to the interpreter" in translated.reason
    lanes = tuple(str(lane) for lane in share.lanes)
    after = RunReport("", 1.0, (), {}, lanes, tuple(worker.reports), tuple(worker.results))
    before = replace(after, results=(interpreted, replace(translated, verdict=Verdict.AGREE, reason="")))
    (change,) = changes(whole(before), whole(after))
    assert (change.kind, change.lane, change.worse) == (Kind.UNSUPPORTED, lanes[1], True)


def test_a_machine_that_is_killed_costs_one_cell(tmp_path: Path) -> None:
    process = started(*MANY[:-1], "ATTACH-*,DET-*", "--output", tmp_path)
    until(process, "running jit")
    (machine,) = machines(process.pid)
    machine.kill()
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 3, said
    report = written(tmp_path)
    assert verdicts(report)["lost"] == 1
    (lost,) = (result for result in report["results"] if result["verdict"] == "lost")
    assert lost["lane"] == "debian-12/arm64/jit" and "SIGKILL" in lost["reason"]
    assert set(verdicts(report)) <= {"lost", "agree", "known-divergence", "unsupported"}
    per_lane = Counter(result["lane"] for result in report["results"])
    assert len(set(per_lane.values())) == 1 and len(report["machines"]) == 2
    assert not report["interrupted"]
    assert History().get().report.counts()[Verdict.LOST] == 1
    assert history_is_sound()


@pytest.mark.parametrize(("number", "status"), [(number, 128 + number) for number in ASKING])
def test_who_ends_a_run_gets_what_there_is_and_no_machine_stays(number: int, status: int, tmp_path: Path) -> None:
    process = started(*MANY, "--output", tmp_path)
    until(process, "running interp")
    guests = machines(process.pid)
    assert guests
    process.send_signal(number)
    process.send_signal(number)  # whoever is impatient gets no less
    said, _ = process.communicate(timeout=120)
    assert process.returncode == status, said
    assert "Traceback" not in said
    psutil.wait_procs(guests, timeout=10)
    assert not [guest for guest in guests if guest.is_running()]
    report = written(tmp_path)
    assert report["interrupted"] and verdicts(report)["lost"]
    assert {path.name for path in (tmp_path / "latest").iterdir()} >= {"junit.xml", "report.html"}
    latest = History().get().report
    assert latest.interrupted and latest.exit_status == status
    assert hil("compare", tmp_path / "latest", tmp_path / "latest").returncode == 1
