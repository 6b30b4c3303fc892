"""`hil conform`: wrong usage says so in one line; real kernels do what the clauses say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clauses import clauses


def hil(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hil", *arguments], capture_output=True, text=True, timeout=1800)


@pytest.mark.parametrize("patterns", ["NONSENSE-*", "ATTACH-*,NONSENSE-1"])
def test_a_clause_that_does_not_exist_is_wrong_usage(patterns: str) -> None:
    done = hil("conform", "--clauses", patterns)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "NONSENSE" in done.stderr and "ATTACH" in done.stderr


def test_a_required_kernel_must_be_among_the_lanes() -> None:
    done = hil("conform", "--lanes", "debian-12/arm64/jit", "--require", "linux-4.1", "--list")
    assert done.returncode == 2
    assert "linux-4.1" in done.stderr


def test_clauses_are_listed_with_their_sentences() -> None:
    done = hil("conform", "--lanes", "debian-12/arm64/jit", "--clauses", "DET-0*", "--list")
    assert done.returncode == 0
    assert "debian-12/arm64/jit" in done.stdout
    assert "DET-01: the program is gone when the close of its event returns" in done.stdout
    assert "ATTACH" not in done.stdout


@pytest.mark.guest
def test_debian_12_does_what_every_clause_says_on_both_architectures_and_engines(tmp_path: Path) -> None:
    done = hil("conform", "--lanes", "debian-12", "--require", "debian-12", "--output", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "latest" / "results.json").read_text())
    assert len(report["lanes"]) == 4
    assert len(report["results"]) == 2 * sum(len(clauses(arch, "6.1")) for arch in ("x86_64", "arm64"))
    assert {result["verdict"] for result in report["results"]} <= {"agree", "known-divergence", "unsupported"}


@pytest.mark.guest
def test_the_same_kernels_get_the_same_verdict_in_every_cell_again(tmp_path: Path) -> None:
    lanes = ("--lanes", "debian-12/*/jit", "--clauses", "ATTACH-*,DET-*,MAP-*,RB-*,LOAD-*")
    for run in ("first", "second"):
        assert hil("conform", *lanes, "--output", str(tmp_path / run)).returncode == 0
    done = hil("compare", str(tmp_path / "first" / "latest"), str(tmp_path / "second" / "latest"))
    assert done.returncode == 0
    (said,) = (line for line in done.stdout.splitlines() if not line.startswith("    "))
    assert re.fullmatch(r"\d{3} compared: 0 worse, 0 fixed, 0 other changes", said), done.stdout
