# SPDX-License-Identifier: MIT
"""The host's end of `keeper.sh`, which locks a board, notices a cut line, and puts back what was changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from hil.errors import MachineLost, UserError
from hil.machine.ssh import Stream

_log = logging.getLogger(__name__)

SILENCE = 30.0
"""The nominal seconds without an answer after which the line counts as cut."""
ALONE = 120
"""The seconds without a line from us after which the board puts itself back: more than we wait, so that nobody works on
a board that is being put back."""
EVERY = 3.0
PLACES = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/root")


@dataclass(frozen=True)
class Ready:
    """The folder of this run on the board, in which programs can be executed, and the path of its tracefs."""

    folder: str
    tracing: str


def command(
    token: str, owner: str, settings: Sequence[str], groups: Sequence[str], places: Sequence[str] = PLACES
) -> list[str]:
    """The command that keeps a board. `token` is the run's, `owner` who it is in words; `settings` are the files that
    are put back, by patterns, and `groups` those of the trace events that are removed; it works in the
    first of `places` in which programs can be executed."""
    script = files(__package__).joinpath("keeper.sh").read_text()
    lists = map(" ".join, (settings, groups, places))
    return ["env", f"HIL_BOARD={token}", "sh", "-c", script, "hil-keeper", owner, str(ALONE), *lists]


class Keeper:
    """Talks to the keeper on `stream`; a thread has `heard` called for each answer, and `lost` with the reason when it
    does not answer any more.

    `ready` says where to work. Raises UserError when the board is in use or executes nothing, MachineLost when it does
    not answer.
    """

    def __init__(self, stream: Stream, host: str, heard: Callable[[], None], lost: Callable[[str], None]) -> None:
        self._stream = stream
        self._heard = heard
        self._lost = lost
        self._ended = threading.Event()
        self._lines = self._read()
        self.left: list[str] = []
        """What an earlier run had left there, and what was done about it, a sentence each."""
        self.beats = 0
        """How often it answered."""
        self.ready = self._hear(host)
        self._thread = threading.Thread(target=self._beat, name="hil-board", daemon=True)
        self._thread.start()

    def end(self) -> list[str]:
        """Have the board put back; returns what was changed back, a sentence each. Raises MachineLost when it does not
        answer, after which it puts itself back."""
        self._ended.set()
        self._thread.join()
        self._stream.end_input()
        told: list[str] = []
        for line in self._lines:
            if line == "end":
                self._stream.close()
                return told
            if line != "beat":
                told.append(_sentence(line))
        raise MachineLost("the board did not say that it is as it was", remedy=f"it puts itself back within {ALONE} s")

    def _read(self) -> Iterator[str]:
        rest = b""
        while data := self._stream.read(4096):
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)

    def _hear(self, host: str) -> Ready:
        for line in self._lines:
            word, _, behind = line.partition(" ")
            match word:
                case "ready":
                    folder, _, tracing = behind.partition(" ")
                    return Ready(folder, tracing)
                case "busy":
                    raise UserError(
                        f"{host} is in use: {behind or 'a run begins there'}",
                        remedy=f"wait for it; a run whose line is cut gives way after {ALONE} s",
                    )
                case "noexec":
                    raise UserError(
                        f"{host} executes nothing in any of {', '.join(behind.split())}",
                        remedy="mount one of them without noexec: mount -o remount,exec /tmp",
                    )
                case "left":
                    folder, _, owner = behind.partition(" ")
                    self.left.append(
                        f"an earlier run left {folder} ({owner or 'nobody knows whose'}); it was cleared away"
                    )
                case _:
                    self.left.append(_sentence(line))
        said = self._stream.errors().decode(errors="replace").strip()
        raise MachineLost(f"{host}: its shell does not run what keeps the board: {said or 'it ended'}")

    def _beat(self) -> None:
        try:
            while not self._ended.wait(EVERY):
                self._stream.write(b"\n")
                if next(self._lines, None) != "beat":
                    raise MachineLost("what keeps the board ended there")
                self.beats += 1
                self._heard()
        except MachineLost as error:
            self._lost(str(error))


def _sentence(line: str) -> str:
    word, _, behind = line.partition(" ")
    if word == "restored":
        file, old, new = behind.split(" ", 2) if behind.count(" ") > 1 else (behind, "?", "?")
        return f"{file} was {old} and is {new} again"
    return f"the probe {behind} was removed" if word == "removed" else line
