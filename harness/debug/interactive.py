# SPDX-License-Identifier: MIT
"""A gdb of the user's: on this terminal, or one that connects from elsewhere."""

from __future__ import annotations

import contextlib
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from harness.debug.debuggee import Debuggee
from harness.debug.loading import write_loader
from harness.debug.past import answering
from harness.debug.prepared import prepare
from harness.debug.subject import Subject
from harness.lowering.executor import Missed, Observed
from hil.errors import BenchError
from hil.gdb.command import connecting, interactive_command
from hil.gdb.process import environment
from hil.machine import Machine
from hil.machine.tied import tied

_HOST = "127.0.0.1"
_LISTENS = "Waiting for gdb connection"
ENDED = "the script has ended: no breakpoint comes any more"
_LOOK = 0.5
"""Seconds between two looks at whether the machine is still there."""


@contextmanager
def stopped(debuggee: Debuggee, subject: Subject, symbol: str, folder: Path) -> Iterator[Begun]:
    """Stops the guest with the script ready to begin, and gives what a gdb needs; when the body fails, the guest
    goes on to the script's end."""
    past = debuggee.machine.gdb_socket.with_name("past") if debuggee.recording else None
    loader = write_loader(folder, prepare(debuggee, subject, symbol, folder, str(past or "")))
    with ExitStack() as stack:
        if past and debuggee.recording:
            stack.enter_context(answering(past, debuggee.recording, subject.script))
        # The guest is stopped, so the script cannot run before gdb has set its breakpoint.
        debuggee.machine.qmp.execute("stop")
        result = debuggee.start(subject.script, watched=True)
        stack.enter_context(debuggee.finishing(result))
        yield Begun(debuggee, loader, result)


class Begun:
    """A script that is about to run, and the file that loads the commands for gdb."""

    def __init__(self, debuggee: Debuggee, loader: Path, result: Future[Observed | Missed]) -> None:
        self.loader = loader
        self.result = result
        self._debuggee = debuggee

    def go_on(self) -> Observed | Missed:
        """Lets the guest run to the script's end; errors as `Debuggee.finish`."""
        return self._debuggee.finish(self.result)


def interact(
    debuggee: Debuggee, subject: Subject, symbol: str, folder: Path, init: Path | None, notify: Callable[[str], None]
) -> Observed | Missed:
    """Hands the guest, stopped, to gdb with a breakpoint at `symbol`; the script begins when the user continues.

    When gdb ends, the guest goes on, and the script's observations are returned.
    """
    with stopped(debuggee, subject, symbol, folder) as begun:
        machine = debuggee.machine
        command = interactive_command(
            machine.arch, machine.gdb_socket, debuggee.for_gdb, (symbol,), scripts=[begun.loader], init=init
        )
        notify(f"running: {shlex.join(command)}")
        notify("`continue` runs the script to the breakpoint, then `bpf step` to its program; `help bpf` lists more")
        notify("`detach` or `quit` lets the guest go on")
        before = signal.signal(signal.SIGINT, _ignore)
        try:
            status = _attended(command, begun.result, notify)
        except OSError as error:
            raise BenchError(f"cannot start {command[0]}: {error.strerror}") from error
        finally:
            signal.signal(signal.SIGINT, before)
        if status:
            notify(f"gdb ended with status {status}" if status > 0 else f"gdb was killed by signal {-status}")
        return begun.go_on()


def serve(
    debuggee: Debuggee, subject: Subject, symbol: str, folder: Path, notify: Callable[[str], None]
) -> Observed | Missed:
    """Prints what an IDE needs to connect a gdb to the guest, stopped, and waits until the script has ended, which it
    does when that gdb has let the guest go on."""
    machine = debuggee.machine
    with stopped(debuggee, subject, symbol, folder) as begun:
        port = _serve_on_port(machine)
        target = f"{_HOST}:{port}"
        notify(f"gdb server: host {_HOST}, port {port}")
        notify(f"architecture: {machine.arch.gdb_architecture}")
        notify(f"symbol file: {debuggee.for_gdb[0]}")
        notify("commands for gdb, in this order:")
        for line in (*connecting(machine.arch, target, debuggee.for_gdb), f"hbreak *{symbol}"):
            notify(f"  {line}")
        notify(f"  source {begun.loader}")
        notify("waiting until the script has ended; Ctrl-C ends the machine")
        try:
            while not begun.result.done():
                with contextlib.suppress(FutureTimeout):
                    begun.result.result(_LOOK)
                debuggee.check_alive()
        finally:
            if machine.alive:
                _listen(machine, f"unix:{machine.gdb_socket},server=on,wait=off")
        # A gdb that was still there has left its breakpoints, and perhaps a guest that stands still.
        return begun.go_on()


def _attended(command: Sequence[str], result: Future[Observed | Missed], notify: Callable[[str], None]) -> int:
    """Runs gdb, and returns its status. At the end of the script gdb is told to stop the guest, as by Ctrl-C: it may
    wait for a breakpoint that nothing reaches any more."""
    with subprocess.Popen(tied(command), env=environment()) as gdb:
        result.add_done_callback(partial(_tell_end, gdb, notify))
        try:
            return gdb.wait()
        except BaseException:
            gdb.kill()
            raise


def _tell_end(gdb: subprocess.Popen[bytes], notify: Callable[[str], None], result: Future[Observed | Missed]) -> None:
    if gdb.poll() is None and result.exception() is None:
        notify(f"{ENDED}; the guest stops. `quit` shows the result; --break SYMBOL stops a next session elsewhere")
        gdb.send_signal(signal.SIGINT)


def _serve_on_port(machine: Machine) -> int:
    """Lets QEMU's stub listen on a port of this host instead of its socket; returns the port."""
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port = int(free.getsockname()[1])
    _listen(machine, f"tcp:{_HOST}:{port}")
    return port


def _listen(machine: Machine, device: str) -> None:
    """Lets QEMU's stub listen elsewhere; raises BenchError when it cannot."""
    # The new device would have the name of the old one, which QEMU removes too late (gdbserver_start(), 7.2 and 10.0).
    machine.qmp.human("gdbserver none")
    said = machine.qmp.human(f"gdbserver {device}").strip()
    if _LISTENS not in said:
        raise BenchError(f"QEMU cannot listen on {device}: {said}", remedy="try again")


def _ignore(number: int, frame: object) -> None:
    """Ignores Ctrl-C, which is for gdb, where it stops the guest. This is a function, because a signal that is ignored
    here would be ignored by gdb too (execve(2))."""
