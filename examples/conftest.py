# SPDX-License-Identifier: MIT
"""The probes, compiled once a test run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.testing import Lane

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a folder of objects for each architecture."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed: apt-get install clang")
    folder = tmp_path_factory.mktemp("probes")
    made = subprocess.run(["make", "-s", "-C", HERE, f"BUILD={folder}"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def objects(compiled: Path, lane: Lane) -> Path:
    """The folder with the objects for the lane's architecture."""
    return compiled / lane.arch
