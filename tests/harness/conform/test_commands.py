# SPDX-License-Identifier: MIT
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


def test_a_clause_that_one_of_the_lanes_has_is_run_there() -> None:
    done = hil("conform", "--lanes", "linux-4.1/arm64,debian-12/arm64/jit", "--clauses", "H-07.where", "--list")
    assert done.returncode == 0, done.stderr
    assert "linux-4.1/arm64/interp: left out, none of the chosen scripts is for it" in done.stdout
    assert "\ndebian-12/arm64/jit\n" in done.stdout


def test_a_required_kernel_must_be_among_the_lanes() -> None:
    done = hil("conform", "--lanes", "debian-12/arm64/jit", "--require", "linux-4.1", "--list")
    assert done.returncode == 2
    assert "linux-4.1" in done.stderr


def test_clauses_are_listed_with_their_sentences() -> None:
    done = hil("conform", "--lanes", "debian-12/arm64/jit", "--clauses", "DET-0*", "--list")
    assert done.returncode == 0
    assert "debian-12/arm64/jit" in done.stdout
    assert (
        "DET-01: Closing the perf event detaches its program: when close(2) has returned, no hit runs it" in done.stdout
    )
    assert "ATTACH" not in done.stdout


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Every clause on Debian 12, and its run folder."""
    folder = tmp_path_factory.mktemp("everything")
    return hil("conform", "--lanes", "debian-12", "--require", "debian-12", "--output", str(folder)), folder / "latest"


@pytest.mark.guest
def test_debian_12_does_what_every_clause_says_on_both_architectures_and_engines(
    everything: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, folder = everything
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / "results.json").read_text())
    assert len(report["lanes"]) == 4
    assert len(report["results"]) == 2 * sum(len(clauses(arch, "6.1")) for arch in ("x86_64", "arm64"))
    assert {result["verdict"] for result in report["results"]} <= {"agree", "known-divergence", "unsupported"}


@pytest.mark.guest
def test_the_same_kernel_gets_the_same_verdict_in_every_cell_again(
    everything: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    lanes = "debian-12/arm64/jit"
    assert hil("conform", "--lanes", lanes, "--output", str(tmp_path)).returncode == 0
    done = hil("compare", str(everything[1]), str(tmp_path / "latest"), "--lane", lanes)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d{4} compared: 0 worse, 0 fixed, ", done.stdout, re.MULTILINE), done.stdout
    slower = re.findall(r"^(?!\d)\S.*$", done.stdout, re.MULTILINE)
    assert all(line.startswith("slower: ") for line in slower), done.stdout  # which says something of the host alone
