# SPDX-License-Identifier: MIT
"""Runs many trials in parallel, in an order that a seed decides, and judges each."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from hil.machine import speed
from tests.chaos import home as homes
from tests.chaos.child import NotSeen, started_by
from tests.chaos.home import Home
from tests.chaos.kind import Kind, problems
from tests.chaos.trial import Missing, Trial


@dataclass
class Judged:
    """The judgement of one trial: what is wrong, and the seconds until an injected fault was noticed."""

    number: int
    kind: Kind
    wrong: list[str] = field(default_factory=list)
    notice: float | None = None
    seconds: float = 0.0
    skipped: str = ""
    output: str = ""


def order(kinds: Sequence[Kind], seed: int, trials: int) -> list[Kind]:
    """The kind of each trial: in every turn each kind as often as its weight, shuffled."""
    random = Random(f"{seed}")
    chosen: list[Kind] = []
    while len(chosen) < trials:
        turn = [kind for kind in kinds for _ in range(kind.weight)]
        random.shuffle(turn)
        chosen += turn
    return chosen[:trials]


def carry_out(
    chosen: Mapping[int, Kind], seed: int, jobs: int, folder: Path, notify: Callable[[Judged], None]
) -> list[Judged]:
    """Run trials of the chosen kinds, by number, and call `notify` with each when it ends. `folder`, which must have a
    short path, is for their homes. The same seed, number and kind give the same random choices."""
    original = homes.seed(folder / "seed")
    with ThreadPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(_trial, kind, seed, number, original, folder / str(number)) for number, kind in chosen.items()
        ]
        judged = []
        try:
            for future in as_completed(futures):
                judged.append(future.result())
                notify(judged[-1])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in started_by(f"{folder}/"):
                with suppress(psutil.Error):
                    process.kill()
            raise
    return sorted(judged, key=lambda one: one.number)


def _trial(kind: Kind, seed: int, number: int, original: Home, folder: Path) -> Judged:
    judged = Judged(number, kind)
    started = time.monotonic()
    trial = Trial(homes.copy(original, folder), Random(f"{seed} {number} {kind}"), folder.as_posix())
    scale = speed.scale()
    try:
        kind.prepare(trial)
        kind.inject(trial)
        codes = trial.end()
        scale = max(scale, speed.scale())
        noticed = trial.noticed or trial.child.ended
        if trial.struck is not None and noticed is not None:
            judged.notice = max(0.0, noticed - trial.struck)
            if judged.notice > kind.bound * scale:
                judged.wrong.append(f"noticed after {judged.notice:.1f} s, not {kind.bound * scale:.1f}")
        judged.wrong += problems(kind, trial, codes)
        if judged.wrong:
            judged.wrong.append(f"return codes {codes}, {trial.facts}")
    except Missing as missing:
        judged.skipped = str(missing)
    except NotSeen as error:
        judged.wrong.append(f"{error}; {trial.facts}")
    except Exception:
        judged.wrong.append(f"{trial.facts}\n{traceback.format_exc()}")  # judged as wrong, so that it is examined
    finally:
        trial.clean()
        judged.output = "\n---\n".join(child.output for child in trial.children)
        kind.finish(trial)
        if not judged.wrong:
            trial.home.remove()
        judged.seconds = time.monotonic() - started
    return judged
