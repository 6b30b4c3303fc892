# SPDX-License-Identifier: MIT
"""Several runs at once in the same home, and a damaged history."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence

from hil import cache
from tests.chaos.kind import LEAVING, THROUGH, Kind
from tests.chaos.kinds.machines import short
from tests.chaos.trial import Trial


class TwoAtOnce(Kind):
    """Two runs that share cache, history and the folder of runs, sometimes before guest roots and agents are built; in
    half of the trials one of them is ended or killed."""

    name = "two-at-once"
    count = 2
    quiet = False  # but see `judge`
    bound = LEAVING

    def inject(self, trial: Trial) -> None:
        if trial.random.random() < 0.5:
            trial.facts["cold"] = True
            for part in ("guestroots", "agent"):
                cache.remove(trial.home.cache / "hil" / part)
        for _ in range(self.count):
            trial.start(["run", "--lanes", trial.lane(), "--scripts", "a*"])
            time.sleep(trial.random.choice((0, trial.random.uniform(0, 3))))
        if trial.random.random() < 0.5:
            number = trial.random.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            trial.facts["signal"] = number
            time.sleep(trial.random.uniform(0, 4))
            trial.strike()
            trial.child.send(number)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        number = trial.facts.get("signal")
        if number != signal.SIGKILL and (left := trial.left_over_files()):
            yield f"left-over files: {', '.join(left)}"
        ended = () if number is None else (0, -number, 128 + number)  # it may have ended before, or not have begun
        if codes[0] not in (ended or (0,)) or any(codes[1:]):
            yield f"exit statuses {codes}"
        statuses = sorted(row["exit_status"] for row in trial.history())
        if not {*statuses} <= {0, *ended} or statuses.count(0) != [*codes].count(0):
            yield f"the history has {statuses} for {codes}"


class FourAtOnce(TwoAtOnce):
    """Four runs that share cache, history and the folder of runs."""

    name = "four-at-once"
    count = 4


class HistoryDamaged(Kind):
    """The history is not a database: it is reported and not changed, and the run's folder is complete."""

    name = "history-damaged"
    bound = THROUGH

    def inject(self, trial: Trial) -> None:
        path = trial.home.state / "hil" / "history.sqlite"
        how = trial.random.choice(("noise", "folder", "cut", "emptied"))
        trial.facts["how"] = how
        if how == "folder":
            path.mkdir()
        elif how == "noise":
            path.write_bytes(trial.random.randbytes(8192))
        else:
            trial.again(*short(trial))
            data = path.read_bytes()
            path.write_bytes(data[: trial.random.randrange(100, len(data))] if how == "cut" else b"")
        before = len(trial.children)
        trial.facts["folders"] = len(trial.folders())
        trial.strike()
        trial.noticed = None
        trial.start(short(trial))
        trial.facts["which"] = before

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        child, code = trial.children[trial.facts["which"]], codes[trial.facts["which"]]
        if code:
            yield f"exit status {code}"
        if len(trial.folders()) != trial.facts["folders"] + 1 or not (trial.folders()[-1] / "report.html").exists():
            yield "there is no run folder"
        # An empty file counts as none; in a truncated one SQLite may not read the missing part.
        if trial.facts["how"] in ("noise", "folder") and "is not in the history" not in child.output:
            yield f"it does not say that the history is damaged: {child.output}"


KINDS = (TwoAtOnce, FourAtOnce, HistoryDamaged)
