# SPDX-License-Identifier: MIT
"""A real board as a target: reached over SSH, locked for one run, and left as it was."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hil.agent.build import agent_binary
from hil.arch import Architecture
from hil.board import keeper
from hil.board.address import Address
from hil.board.keeper import Keeper
from hil.board.lab import Lab
from hil.board.login import Line, Unreachable
from hil.board.reaching import COMES_BACK, await_login
from hil.errors import BenchError, MachineLost
from hil.machine import speed
from hil.machine.console import Console
from hil.machine.liveness import Liveness, Loss, MachineStopped
from hil.machine.postmortem import LINES, Death, PostMortem
from hil.machine.ssh import Connection, Stream
from hil.target import Completed

_log = logging.getLogger(__name__)

CONSOLE = "console.log"
"""The file in a board's folder of the run that has what its console printed."""
_NO_REGISTERS = "registers and stacks: not known, since nothing reads the CPUs of a board"
_ON_ITS_WAY = 2.0
"""The nominal seconds within which labgrid passes on what a console printed."""
_AFTER_A_PANIC = 10.0
"""The nominal seconds within which a board answers once its console printed a panic: a few beats of the keeper."""
_START = 30.0
"""The nominal seconds for the start of a command."""


@dataclass(frozen=True)
class Board:
    """How a board is reached and used. `token` is the run's, `owner` tells other users whose run it is; `settings`,
    `groups` and `places` as for `hil.board.keeper.command`. `comes_back` are the nominal seconds within which it has to
    answer when a session begins."""

    address: Address
    token: str
    owner: str
    ssh_config: Path | None = None
    settings: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    places: tuple[str, ...] = keeper.PLACES
    comes_back: float = COMES_BACK
    lab: Lab | None = None
    """What labgrid knows of it."""


class BoardTarget:
    """A board that runs `release` (see `hil.target.Target`). It starts by logging in, which is tried again for as long
    as it may be rebooting, and by having the agent copied; it stops by putting back what was changed."""

    emulator = ""
    command: Sequence[str] = ()
    log_lacks = 0

    def __init__(self, board: Board, arch: Architecture, release: str, folder: Path | None = None) -> None:
        """`folder` is for what its console prints, where labgrid has that."""
        self.board = board
        self.arch = arch
        self.warnings: tuple[str, ...] = ()
        self.put_back: list[str] = []
        """What was changed back at the end, a sentence each."""
        self._release = release
        self._liveness = Liveness()
        self._stopping = threading.RLock()
        self._line: Line | None = None
        self._connection: Connection | None = None
        self._keeper: Keeper | None = None
        self._console: Console | None = None
        self.console_log: Path | None = None
        if board.lab is not None and folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._console = board.lab.listen(folder / CONSOLE, self._liveness)
            self.console_log = folder / CONSOLE if self._console is not None else None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> str:
        """The folder of this run on the board, which is removed at its end with the processes that work in it."""
        return self._kept().ready.folder

    @property
    def agent(self) -> str:
        return f"{self.folder}/agent"

    @property
    def tracing(self) -> str:
        return self._kept().ready.tracing

    @property
    def alive(self) -> bool:
        return self._keeper is not None and self._liveness.loss is None

    def lost_reason(self) -> str | None:
        return self._liveness.loss.reason if self._liveness.loss else self._printed() or None

    @property
    def postmortem(self) -> PostMortem | None:
        """What its console printed before it was lost; see `hil.target.Target`."""
        loss = self._liveness.loss
        if loss is None or loss.error is MachineStopped:
            return None
        console = tuple(self._console.tail(LINES).splitlines()) if self._console is not None else ()
        return PostMortem(Death.GONE, loss.reason, console=console, notes=(_NO_REGISTERS,))

    def on_loss(self, callback: Callable[[], None]) -> None:
        self._liveness.on_loss(callback)

    def stop(self) -> None:
        """Leave the board as it was; see `hil.target.Target`."""
        cut = self._liveness.loss is not None
        self._liveness.lose(Loss("the bench left the board", MachineStopped))
        with self._stopping:
            kept, self._keeper = self._keeper, None
            if kept is not None:
                self._leave(kept, cut)
            if self._connection is not None:
                self._connection.close()
            if self._line is not None:
                self._line.close()
            if self.board.lab is not None:
                self.board.lab.close()

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run a command on the board; see `hil.target.Target`."""
        return self._ssh().run(argv, stdin=stdin, timeout=timeout * speed.scale())

    def open(self, argv: Sequence[str]) -> Stream:
        """Start a command on the board and talk to it; see `hil.target.Target`."""
        return self._ssh().open(argv, timeout=_START * speed.scale())

    def _start(self) -> None:
        binary = agent_binary(self.arch).read_bytes()  # its errors come before the board is touched
        self._line = line = self._log_in()
        silence = keeper.SILENCE * speed.scale()
        self._connection = connection = Connection(line.transport, line.close, patience=silence, explain=self._error)
        running = connection.run(["uname", "-r"], timeout=silence).stdout.decode(errors="replace").strip()
        if running != self._release:
            raise BenchError(
                f"{self.board.address} runs Linux {running}, but ran {self._release} when it was examined",
                remedy="run it again, if another kernel was booted on purpose",
            )
        about = self.board
        keeping = keeper.command(about.token, about.owner, about.settings, about.groups, about.places)
        stream = connection.open(keeping, timeout=_START * speed.scale())
        self._keeper = kept = Keeper(stream, str(self.board.address), self._liveness.wake, self._cut)
        for sentence in kept.left:
            self._warn(sentence)
        if (console := self._console) is not None:
            threading.Thread(target=self._watch, args=(console, kept), name="hil-board-panic", daemon=True).start()
        self._copy(binary)

    def _log_in(self) -> Line:
        def given_up(seconds: float) -> bool:
            self._liveness.wait(lambda: False, seconds)
            return self._liveness.loss is not None

        try:
            return await_login(self.board.address, self.board.ssh_config, self.board.comes_back, given_up)
        except Unreachable as error:
            raise MachineLost(error.what, remedy=error.remedy) from error

    def _watch(self, console: Console, kept: Keeper) -> None:
        """Has a board that panics answer soon. What its console prints is no proof, since any program may print it."""
        self._liveness.wait(lambda: console.panic is not None, threading.TIMEOUT_MAX)
        heard = kept.beats
        answers = self._liveness.wait(lambda: kept.beats > heard + 1, _AFTER_A_PANIC * speed.scale())
        if not answers and self._liveness.loss is None:
            self._cut("no answer after a panic")

    def _copy(self, binary: bytes) -> None:
        """Copy the agent, and read it back: no tool for checksums is on every board."""
        path = f"{self.agent}.bin"
        # Maps and programs count against the limit on locked memory before 5.11, also for root.
        start = f'#!/bin/sh\nulimit -l unlimited\nexec "{path}"\n'
        for name, content in ((path, binary), (self.agent, start.encode())):
            done = self.run(["sh", "-c", 'cat >"$1" && chmod 700 "$1"', "copy", name], stdin=content)
            if done.status or self.run(["cat", name]).stdout != content:
                said = done.stderr.decode(errors="replace").strip() or "what arrived there is something else"
                raise BenchError(
                    f"{self.board.address}: cannot copy the agent to {name}: {said}", remedy="is its disk full?"
                )

    def _leave(self, kept: Keeper, cut: bool) -> None:
        if not cut:
            try:
                self.put_back = kept.end()
            except MachineLost:
                cut = True
        if cut:
            self._warn(self._after_a_loss())
        for line in self.put_back:
            _log.info("%s: %s", self.board.address, line)
            if line.startswith("failed"):
                self._warn(line)

    def _after_a_loss(self) -> str:
        """Switches a board that does not answer off and on, where that can be done; returns what becomes of it."""
        try:
            if self.board.lab is not None and self.board.lab.has_power:
                self.board.lab.cycle()
                return "it was switched off and on, since it did not answer any more"
        except BenchError as error:
            return str(error)
        return f"the line was cut before the board was put back; it does that itself within {keeper.ALONE} s"

    def _cut(self, reason: str) -> None:
        printed = self._printed()
        because = f"{reason}; {printed}" if printed else reason
        self._liveness.lose(Loss(f"the board does not answer any more: {because}"))
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.abort()

    def _printed(self) -> str:
        """What its console says of a panic, empty where it says nothing; what was printed last may be on its way."""
        console = self._console
        if console is None:
            return ""
        self._liveness.wait(lambda: console.panic is not None, _ON_ITS_WAY * speed.scale())
        return f"its console printed: {console.panic}" if console.panic else ""

    def _error(self, what: str) -> MachineLost:
        printed = self._console.tail() if self._console is not None else ""
        if loss := self._liveness.loss:
            return loss.error(f"{what}: {loss.reason}", details=printed)
        if self._line is not None and not self._line.transport.is_active():
            self._cut(what)  # before the keeper notices
            return MachineLost(f"{self.board.address}: {self.lost_reason()}", details=printed)
        return MachineLost(f"{self.board.address}: {what}", details=printed)

    def _warn(self, sentence: str) -> None:
        _log.warning("%s: %s", self.board.address, sentence)
        self.warnings = (*self.warnings, sentence)

    def _kept(self) -> Keeper:
        if self._keeper is None:
            raise MachineLost(self.lost_reason() or "the board is not in use")
        return self._keeper

    def _ssh(self) -> Connection:
        if self._liveness.loss is not None or self._connection is None:
            raise self._error("the board is gone")
        return self._connection
