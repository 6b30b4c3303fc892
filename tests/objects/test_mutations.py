# SPDX-License-Identifier: MIT
"""Damaged objects end in words, in a process whose memory is bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_two_thousand_damaged_objects_of_our_own() -> None:
    argv = [sys.executable, "-m", "tests.objects", "--own", "--mutations", "2000", "--seed", "7"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    words = {line.split(maxsplit=1)[1] for line in done.stdout.splitlines()[1:]}
    assert {"read", "read in part", "damaged", "bad-btf"} & words >= {"read", "damaged"}
    assert len(words) > 5
