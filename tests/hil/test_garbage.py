# SPDX-License-Identifier: MIT
"""Python's collector looks less often, in commands and in the processes of campaigns."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from hil.garbage import collect_rarely

COMMAND = "import click; from hil import cli; cli.main(click.Command('it', callback=told))"
PROCESS = "import os; from harness.fuzz.campaign import work; work.begin(os.pipe()[0]); told()"


def test_only_how_often_the_youngest_are_looked_at_changes() -> None:
    before = gc.get_threshold()
    try:
        for _ in range(2):
            collect_rarely()
        assert gc.get_threshold()[0] > 10 * 700 and gc.get_threshold()[1:] == before[1:]
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("code", [COMMAND, PROCESS])
def test_commands_and_processes_of_campaigns_set_it(code: str) -> None:
    told = f"import gc, os, sys; told = lambda: (print(gc.get_threshold()[0], flush=True), os._exit(0)); {code}"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=120)
    assert int(done.stdout) > 10 * 700, done.stderr
