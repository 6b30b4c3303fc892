# SPDX-License-Identifier: MIT
"""A script that was started is at its end before the next one begins, however a session of gdb ends; nothing boots."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core_scripts import core_scripts
from harness.debug import debuggee as module
from harness.debug import interactive, looking
from harness.debug.debuggee import Debuggee
from harness.debug.interactive import interact, stopped
from harness.debug.looking import NeverReached, look
from harness.debug.subject import Subject
from harness.lane import Engine, Lane
from hil.errors import BenchError, MachineLost
from hil.gdb.errors import GdbGone
from hil.gdb.session import Breakpoint, Stop

SCRIPT = core_scripts("x86_64", "6.1")[0]


class Guest:
    """A machine and an executor in one: a script ends when the guest was let go on."""

    def __init__(self) -> None:
        self.alive = True
        self.goes_on = threading.Event()
        self.under_way = 0
        self.gdb_socket = Path("/none")
        self.qmp = SimpleNamespace(execute=lambda _: None)
        self.watch = None
        self.arch = SimpleNamespace()

    def run(self, _: object) -> Iterator[str]:
        self.under_way += 1
        self.goes_on.wait(20)
        self.under_way -= 1
        if not self.alive:
            raise MachineLost("the stream ended")
        yield "seen"

    def stop(self) -> None:
        self.alive = False
        self.goes_on.set()

    def on_loss(self, callback: Any) -> None:
        callback()

    def lost_reason(self) -> str:
        return "the bench stopped the machine"


class Gdb:
    """A gdb that stops where `reason` says."""

    arch = SimpleNamespace(name="x86_64")
    at = "7"

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Gdb:
        return self

    def __exit__(self, *_: object) -> None: ...

    def break_at(self, symbol: str) -> Breakpoint:
        return Breakpoint("7", symbol, 1)

    def continue_(self) -> None: ...

    def interrupt(self) -> None: ...

    def delete(self, _: object) -> None: ...

    def wait_for_stop(self, _: object) -> Stop:
        return Stop("breakpoint-hit", 1, breakpoint=self.at)


@pytest.fixture
def guest() -> Guest:
    return Guest()


@pytest.fixture
def debuggee(guest: Guest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Debuggee:
    session: Any = SimpleNamespace(target=guest, executor=guest, kernel=SimpleNamespace(era="6.1"))
    made = Debuggee(Lane("debian-12", "x86_64", Engine.JIT), session, tmp_path / "none", ())
    made.__dict__["table"] = None
    monkeypatch.setattr(module, "let_go", lambda _: guest.goes_on.set())
    monkeypatch.setattr(looking, "GdbSession", Gdb)
    monkeypatch.setattr(looking, "_snapshot", lambda *_: None)
    monkeypatch.setattr(interactive, "prepare", lambda *_: tmp_path / "data")
    return made


def fail(_: object) -> None:
    raise GdbGone("gdb was killed")


def test_a_look_that_fails_ends_its_script(debuggee: Debuggee, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GdbGone):
        look(debuggee, SCRIPT, "hook", fail)
    assert guest.goes_on.is_set() and not guest.under_way
    guest.goes_on.clear()
    monkeypatch.setattr(Gdb, "at", "8")
    with pytest.raises(NeverReached):
        look(debuggee, SCRIPT, "hook", fail)
    assert not guest.under_way


def test_a_session_that_fails_ends_its_script(debuggee: Debuggee, guest: Guest, tmp_path: Path) -> None:
    with pytest.raises(BaseException, match="gave up"), stopped(debuggee, Subject(SCRIPT), "", tmp_path):
        pytest.fail("gave up")
    assert guest.goes_on.is_set() and not guest.under_way


WAITS = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
open(sys.argv[1], "w").close()
sys.exit(7 if signal.sigtimedwait([signal.SIGINT], 20) else 1)
"""
"""As a gdb that waits for a stop of the guest: it goes on when it is interrupted."""


def test_the_end_of_the_script_is_told_and_brings_gdb_back(
    debuggee: Debuggee, guest: Guest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits = tmp_path / "waits"
    os.mkfifo(waits)
    command = [sys.executable, "-I", "-S", "-c", WAITS, str(waits)]
    monkeypatch.setattr(interactive, "interactive_command", lambda *_, **__: command)
    told: list[str] = []

    def go_on() -> None:
        waits.read_bytes()
        guest.goes_on.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    seen: Any = interact(debuggee, Subject(SCRIPT), "hook", tmp_path, None, told.append)
    thread.join()
    assert seen == "seen"
    assert told[-2].startswith(interactive.ENDED) and told[-1] == "gdb ended with status 7"


@pytest.mark.parametrize("asked", [KeyboardInterrupt, SystemExit])
def test_who_asks_for_the_end_waits_for_no_script(
    debuggee: Debuggee, guest: Guest, asked: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(asked), stopped(debuggee, Subject(SCRIPT), "", tmp_path):
        raise asked
    assert not guest.goes_on.is_set()
    guest.stop()


def test_a_script_without_an_end_ends_the_machine(
    debuggee: Debuggee, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "let_go", lambda _: None)
    monkeypatch.setattr(module, "RESULT", replace(module.RESULT, seconds=0.01))
    with pytest.raises(BenchError, match=r"timed out .* and the machine was ended"):
        debuggee.finish(debuggee.start(SCRIPT))
    assert not guest.alive
    with pytest.raises(MachineLost, match="the bench stopped the machine"):
        debuggee.finish(Future())


def test_a_guest_that_cannot_be_let_go_ends_the_machine(
    debuggee: Debuggee, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise BenchError("the stub does not answer")

    monkeypatch.setattr(module, "let_go", refuse)
    monkeypatch.setattr(module, "NOTICED", replace(module.NOTICED, seconds=0.01))
    with pytest.raises(BenchError, match="the stub does not answer"):
        debuggee.finish(debuggee.start(SCRIPT))
    assert not guest.alive
