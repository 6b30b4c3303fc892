# SPDX-License-Identifier: MIT
"""Several runs at once in the same home, and homes whose history is damaged."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence

from hil import cache
from tests.chaos.kind import LEAVING, THROUGH, Kind
from tests.chaos.kinds.machines import short
from tests.chaos.trial import Trial


class TwoAtOnce(Kind):
    """Runs that share cache, history and the place of run folders, sometimes with everything still to be built; in half
    the trials one of them is ended or killed in the middle."""

    name = "two-at-once"
    count = 2
    quiet = False  # but see `right`
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

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        number = trial.facts.get("signal")
        if number != signal.SIGKILL and (left := trial.left_lying()):
            yield f"left lying about: {', '.join(left)}"
        ended = () if number is None else (0, -number, 128 + number)  # it may have been through, or not have begun
        if codes[0] not in (ended or (0,)) or any(codes[1:]):
            yield f"exit statuses {codes}"
        statuses = sorted(row["exit_status"] for row in trial.history())
        if not {*statuses} <= {0, *ended} or statuses.count(0) != [*codes].count(0):
            yield f"the history says {statuses} of {codes}"


class FourAtOnce(TwoAtOnce):
    """The same with four."""

    name = "four-at-once"
    count = 4


class HistoryDamaged(Kind):
    """The history is no database any more: said, kept as it is, and the run's folder has everything."""

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

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        child, code = trial.children[trial.facts["which"]], codes[trial.facts["which"]]
        if code:
            yield f"exit status {code}"
        if len(trial.folders()) != trial.facts["folders"] + 1 or not (trial.folders()[-1] / "report.html").exists():
            yield "there is no run folder"
        # An empty file is as good as none; of one that was cut SQLite may notice nothing in what it needs.
        if trial.facts["how"] in ("noise", "folder") and "is not in the history" not in child.said:
            yield f"it does not say that the history is damaged: {child.said}"


KINDS = (TwoAtOnce, FourAtOnce, HistoryDamaged)
