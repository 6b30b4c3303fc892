# SPDX-License-Identifier: MIT
"""Faults while kernels are fetched: a faulty mirror, and a bench that is ended meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from hil import cache
from hil.machine import speed
from tests.chaos.home import ARCHITECTURES, KERNEL
from tests.chaos.kind import Kind
from tests.chaos.kinds.signals import ENDING, endless
from tests.chaos.mirror import MANNERS, mirror
from tests.chaos.trial import PATIENCE, Trial

_SILENT = ("trickle", "silent")
"""The kinds of mirrors whose answers do not end."""


class Fetching(Kind):
    """A home without kernels and package lists, and a mirror that behaves in one of `manners`, at random."""

    manners: Sequence[str] = MANNERS

    def prepare(self, trial: Trial) -> None:
        for part in ("kernels", "debian"):
            cache.remove(trial.home.cache / "hil" / part)
        trial.facts["manner"] = trial.random.choice(self.manners)
        trial.facts["stack"] = ExitStack()
        trial.environment["HIL_DEBIAN_MIRROR"] = trial.facts["stack"].enter_context(mirror(trial.facts["manner"]))

    def fetch(self, trial: Trial) -> list[str]:
        """The arguments of a command that fetches the kernel, or runs on it."""
        if trial.random.random() < 0.5:
            return endless(trial)
        return ["kernels", "fetch", KERNEL, "--arch", trial.random.choice(ARCHITECTURES)]

    def finish(self, trial: Trial) -> None:
        trial.facts["stack"].close()


class HostileMirror(Fetching):
    """A mirror that has no files, fails, or sends noise: the error says what to do, and no partial file is kept."""

    name = "hostile-mirror"
    patient = True
    weight = 2
    manners = tuple(manner for manner in MANNERS if manner not in _SILENT)
    bound = 120.0
    """apt retries several times, with increasing delays."""

    def inject(self, trial: Trial) -> None:
        trial.strike()
        trial.start(self.fetch(trial))

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != 3:
            yield f"exit status {codes[0]}"
        if "HIL_DEBIAN_MIRROR" not in trial.child.output:
            yield f"it does not say what to do: {trial.child.output}"
        if list((trial.home.cache / "hil").glob(f"kernels/{KERNEL}/*/image")):
            yield "there is a kernel"


class FetchEnded(Fetching):
    """A signal ends the bench while apt waits for a mirror: apt ends as well."""

    name = "fetch-ended"
    weight = 2
    manners = _SILENT
    signals: Sequence[signal.Signals] = ENDING

    def inject(self, trial: Trial) -> None:
        trial.facts["signal"] = trial.random.choice(self.signals)
        trial.start(self.fetch(trial))
        trial.moment("fetching the package lists", span=2.0)
        trial.strike()
        trial.child.send(trial.facts["signal"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != 128 + trial.facts["signal"]:
            yield f"exit status {codes[0]}"


class FetchKilled(FetchEnded):
    """SIGKILL ends the bench while apt waits for a mirror: apt ends as well."""

    name = "fetch-killed"
    quiet = False  # the next fetch removes partial files
    signals = (signal.SIGKILL,)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != -signal.SIGKILL:
            yield f"return code {codes[0]}"


class FetchWaitEnded(Fetching):
    """A signal ends a run while it waits for another process that fetches its kernel from a silent mirror."""

    name = "fetch-wait-ended"
    manners = _SILENT

    def inject(self, trial: Trial) -> None:
        arch = trial.random.choice(ARCHITECTURES)
        trial.facts["signal"] = trial.random.choice(ENDING)
        trial.start(["kernels", "fetch", KERNEL, "--arch", arch])
        trial.until("fetching the package lists")
        waiting = trial.start(["run", "--lanes", f"{KERNEL}/{arch}/interp", "--scripts", "lookup"])
        waiting.until("waiting for another process", PATIENCE * speed.scale())
        trial.strike()
        waiting.send(trial.facts["signal"])
        waiting.wait(PATIENCE * speed.scale())
        trial.noticed = waiting.ended
        trial.child.send(signal.SIGTERM)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes != [128 + signal.SIGTERM, 128 + trial.facts["signal"]]:
            yield f"exit statuses {codes}"


KINDS = (HostileMirror, FetchEnded, FetchKilled, FetchWaitEnded)
