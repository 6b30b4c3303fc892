# SPDX-License-Identifier: MIT
"""Keeps what is left of a machine's guest when it dies or hangs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hil.machine.console import Console
from hil.machine.postmortem import FILE, LINES, Death, PostMortem

_log = logging.getLogger(__name__)


class Remains:
    """What is left of one guest; its files are written into `folder` when there is something. `examiner` reads it; it
    is called in the thread that notices, once for a hang until the guest answers again, and once for a death."""

    def __init__(self, folder: Path) -> None:
        self.examiner: Callable[[Death], PostMortem] | None = None
        self.found: PostMortem | None = None
        """None while the guest answers, as far as was seen: it never died nor hung, or went on since."""
        self._folder = folder
        self._hangs = 0
        """The hangs that are over."""
        self._busy = threading.Lock()

    def examine(self, death: Death, console: Console) -> None:
        """Keep what the examiner finds; whatever goes wrong with that is part of it. Returns when another thread's
        examination is over."""
        with self._busy:
            if self.examiner is None or self._known(death):
                return
            try:
                found = self.examiner(death)
            except Exception as error:
                # The death is reported, whatever the guest's memory makes of the examination.
                _log.warning("%s: not examined: %s", self._folder.name, error, exc_info=True)
                found = PostMortem(death, "the guest could not be examined", notes=(f"not examined: {error}",))
            self._keep(found, console)

    def lack(self, death: Death, sentence: str, why: str, console: Console) -> None:
        """Note why nothing can be read of a guest of which nothing is known."""
        with self._busy:
            if self.examiner is not None and not self._known(death):
                note = f"registers and stacks: not known, since {why}"
                self._keep(PostMortem(death, sentence, notes=(note,)), console)

    def answered(self) -> None:
        """The guest has answered: a hang is over, and what comes later has another cause, and files of its own."""
        with self._busy:
            if self.found is not None and self.found.death is Death.HANG:
                self.found = None
                self._hangs += 1

    def complete(self, panic: str | None, console: Console) -> None:
        """Add the reason to what is known of a crash, and what the console printed since."""
        with self._busy:
            if self.found is not None and self.found.death is Death.CRASH:
                sentence = f"{panic}; {self.found.sentence}" if panic else self.found.sentence
                self._keep(replace(self.found, sentence=sentence), console)

    def _known(self, death: Death) -> bool:
        return self.found is not None and death in (Death.HANG, self.found.death)

    def _keep(self, found: PostMortem, console: Console) -> None:
        file = f"{FILE}-{self._hangs + 1}" if self._hangs else FILE
        self.found = replace(found, console=tuple(console.tail(LINES).splitlines()), file=file)
        try:
            self.found.write(self._folder)
        except OSError as error:
            _log.warning("%s: its post-mortem could not be written: %s", self._folder.name, error)
