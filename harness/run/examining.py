# SPDX-License-Identifier: MIT
"""`--on-divergence lockstep`: what diverged is run once more, and compared instruction by instruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.compare import Verdict
from harness.lockstep.findings import Examined
from harness.run.worker import Worker
from harness.session import LineListener

MOST = 5
"""The scripts of a lane that are run once more: what has many divergences has few causes."""
BOARD = "its programs are recorded by QEMU, and this is a board"


def in_lockstep(workers: Sequence[Worker], folder: Path) -> None:
    """Adds to the results of each lane's first scripts that diverged what lockstep finds of them."""
    from harness.lockstep.explaining import explain  # with a disassembler, which runs without divergences do not need

    for worker in workers:
        scripts = {script.name: script for script in worker.share.scripts}
        for lane in worker.share.lanes:
            diverged = [
                number
                for number, result in enumerate(worker.results)
                if result.lane == str(lane) and result.verdict is Verdict.DIVERGE
            ]
            names = list(dict.fromkeys(worker.results[number].script for number in diverged))[:MOST]
            if not names:
                continue
            if worker.share.board is not None:
                _add(worker, diverged, dict.fromkeys(names, Examined(note=BOARD)))
                continue
            worker.say(f"running {', '.join(names)} in lockstep on {lane.engine}")
            where = folder / f"{worker.share.name}-{lane.engine}-lockstep"
            found = explain(lane, [scripts[name] for name in names], where, LineListener(worker.say))
            _add(worker, diverged, found)


def _add(worker: Worker, numbers: Sequence[int], found: Mapping[str, Examined]) -> None:
    for number in numbers:
        result = worker.results[number]
        worker.results[number] = replace(result, lockstep=found.get(result.script))
