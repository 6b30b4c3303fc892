# SPDX-License-Identifier: MIT
"""A run of the bench as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


class Run:
    """A run of the bench as a process of its own; `said` is what it printed."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hil", *words, "--output", str(folder / "runs")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), **environment},
        )
        self.said = ""

    def until(self, text: str) -> None:
        """Waits until it says so."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line
            if text in line:
                return
        pytest.fail(f"it never said {text!r}: {self.said}")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Waits for its end; returns the exit status."""
        self.said += self._process.communicate(timeout=600)[0]
        return self._process.returncode

    @property
    def folder(self) -> Path:
        return self._folder / "runs/latest"

    @property
    def results(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "results.json").read_text())["results"]
        return found
