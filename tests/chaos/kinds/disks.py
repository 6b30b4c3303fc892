# SPDX-License-Identifier: MIT
"""Full or failing disks below the state folder: they are reported, and what can be written is kept."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos import faulty
from tests.chaos.kind import THROUGH, Kind
from tests.chaos.kinds.machines import run
from tests.chaos.trial import Missing, Trial

_MOMENTS = ("", "kernel", "booting", "booted", "round 1 of", "round 2 of")


class StateDiskFull(Kind):
    """The state folder's file system is full, from the beginning or after some time."""

    name = "state-disk-full"
    bound = THROUGH

    def prepare(self, trial: Trial) -> None:
        disk = trial.home.state / "hil"
        keys = shutil.copytree(disk / "keys", trial.home.folder / "keys")
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True).returncode:
            raise Missing("cannot mount a small file system")
        shutil.copytree(keys, disk / "keys")

    def inject(self, trial: Trial) -> None:
        if trial.random.random() < 0.5:
            self._fill(trial)
            trial.start(run(trial))
        else:
            trial.start(run(trial))
            trial.moment(*_MOMENTS, span=2.0)
            self._fill(trial)

    def _fill(self, trial: Trial) -> None:
        disk = trial.home.state / "hil"
        trial.strike()
        room = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize))

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        _check_in_time(trial, codes[0], trial.home.state / "hil" / "filler")
        return check_reported(trial, codes[0], errno.ENOSPC)

    def finish(self, trial: Trial) -> None:
        subprocess.run(["umount", "--lazy", str(trial.home.state / "hil")], capture_output=True)


class RunFolderFails(Kind):
    """EIO when files of the run folder are opened or written, from the beginning or after some time."""

    name = "run-folder-fails"
    bound = THROUGH
    weight = 2

    def inject(self, trial: Trial) -> None:
        trial.facts["operations"] = trial.random.choice(("o", "w", "ow"))
        trigger = faulty.prepare(trial, errno.EIO, trial.facts["operations"], trial.home.state / "hil" / "runs")
        if trial.random.random() < 0.5:
            self._strike(trial, trigger)
        trial.start(run(trial))
        if trial.struck is None:
            trial.moment(*_MOMENTS, span=2.0)
            self._strike(trial, trigger)

    def _strike(self, trial: Trial, trigger: Path) -> None:
        trial.strike()
        trigger.touch()
        trial.facts["trigger"] = trigger

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        _check_in_time(trial, codes[0], trial.facts.pop("trigger"))
        return check_reported(trial, codes[0], errno.EIO)


def _check_in_time(trial: Trial, code: int, fault: Path) -> None:
    """Raise Missing for a run that had written everything when the file `fault` was made."""
    written = [path.stat().st_mtime_ns for folder in trial.folders() for path in folder.iterdir()]
    if code == 0 and written and max(written) < fault.stat().st_mtime_ns:
        raise Missing("the run ended before the fault")


def check_reported(trial: Trial, code: int, number: int) -> Iterator[str]:
    """Yield what is wrong with the end of a run that could not write all its files."""
    if code != 3:
        yield f"exit status {code}"
    if os.strerror(number) not in trial.child.output:
        yield f"it does not say {os.strerror(number)!r}"
    for folder in trial.folders():
        if (folder / "results.json").exists():
            trial.record(folder)


KINDS = (StateDiskFull, RunFolderFails)
