# SPDX-License-Identifier: MIT
"""Failing disks for `hil` and its children, by preloading `faulty.c`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.chaos.trial import Missing, Trial

_SOURCE = Path(__file__).with_name("faulty.c")


def prepare(trial: Trial, number: int, operations: str, folder: Path) -> Path:
    """Prepare that operations of the trial's processes below `folder` fail with errno `number`; `operations` are the
    letters of `faulty.c`. Returns the path while which exists they fail; Missing where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing("no C compiler")
    library = trial.home.folder / "faulty.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"], check=True)
    trigger = trial.home.folder / "strike"
    trial.environment["LD_PRELOAD"] = str(library)
    trial.environment["CHAOS_FAULT"] = f"{number}:{operations}:{folder}:{trigger}"
    return trigger
