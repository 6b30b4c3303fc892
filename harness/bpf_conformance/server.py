# SPDX-License-Identifier: MIT
"""The background process of a lane: boots its machine, serves programs over a socket, ends by itself.

    python -m harness.bpf_conformance.server KERNEL/ARCH/ENGINE IDLE_SECONDS

It writes to standard output, in one line of JSON, that it listens or why it cannot. It ends when nobody called for
IDLE_SECONDS, on SIGTERM, and when its machine is lost.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from types import FrameType

from filelock import FileLock, Timeout

from harness.bpf_conformance import on_lane
from harness.bpf_conformance.home import Home, home, receive, send
from harness.bpf_conformance.request import MOST_MEMORY, Request
from harness.isa.instruction import MOST_INSTRUCTIONS
from harness.lane import Lane
from harness.session import LineListener, lane_session, prepare
from hil.errors import BenchError, HilError

MOST_REQUEST = 1024 + 2 * (8 * MOST_INSTRUCTIONS + MOST_MEMORY)
SLOW_CALLER = 10.0
"""Seconds in which a caller must have sent its request, which it holds already."""
PREDECESSOR = 60.0
"""Seconds in which a previous process that is about to end must have ended."""

Execute = Callable[[Request], int]


class _Log(LineListener):
    """Writes the machine's progress to the process's log, and keeps warnings for whoever started it."""

    def __init__(self) -> None:
        super().__init__(lambda line: print(line, file=sys.stderr, flush=True))
        self.warnings: list[str] = []

    def warning(self, line: str) -> None:
        self.warnings.append(line)
        super().warning(line)


def main(lane: str, idle: str) -> int:
    """Serves until the end; returns the exit status."""
    signal.signal(signal.SIGTERM, _end)
    place = home(lane)
    try:
        with FileLock(place.process_lock, timeout=PREDECESSOR):
            place.pid.write_text(f"{os.getpid()}\n")
            try:
                _live(place, float(idle))
            finally:
                place.endpoint.unlink(missing_ok=True)
                place.pid.unlink(missing_ok=True)
    except Timeout:
        error = BenchError(f"a process holds {place.process_lock} and does not answer", remedy="hil plugin --stop")
        _report(failure(error))
        return BenchError.exit_status
    except HilError as error:
        _report(failure(error))
        return error.exit_status
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # an orderly end takes a moment, and once is enough
    sys.exit(0)


def _report(answer: Mapping[str, object]) -> None:
    """Reports to the process that started this one: a failure, or the `warnings` of a machine that listens. That
    process may be gone."""
    try:
        print(json.dumps(answer), flush=True)
        # Closes the stream for its reader, who else would wait until this process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        pass


def _live(place: Home, idle: float) -> None:
    lane: Lane = place.lane
    log = _Log()
    bootable = prepare(lane.kernel, lane.arch, log)
    folder = place.folder / "machine"
    with (
        lane_session(bootable, folder, engine=lane.engine, listener=log) as session,
        place.listen() as socket_of_callers,
    ):
        _report({"warnings": log.warnings})
        executor, machine = session.executor, session.target
        serve(socket_of_callers, idle, lambda request: on_lane.execute(executor, request), lambda: machine.alive)


def serve(listener: socket.socket, idle: float, execute: Execute, alive: Callable[[], bool]) -> None:
    """Answers one caller after the other, until none came for `idle` seconds or the machine is no longer `alive`."""
    listener.settimeout(idle)
    while alive():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        with connection:
            connection.settimeout(SLOW_CALLER)
            try:
                if message := receive(connection, MOST_REQUEST):
                    send(connection, json.dumps(answer(message, execute)).encode())
            except OSError:
                pass  # the caller went away, or never sent its request: the next one may


def answer(message: bytes, execute: Execute) -> dict[str, object]:
    """Returns the answer to a request."""
    try:
        return {"r0": execute(Request.from_json(json.loads(message)))}
    except HilError as error:
        return failure(error)
    except Exception as error:
        # An error here must not take the machine from the callers that follow.
        return failure(BenchError(f"internal error: {error!r}", details=traceback.format_exc()))


def failure(error: HilError) -> dict[str, object]:
    """Returns an error as data."""
    return {"what": error.what, "remedy": error.remedy, "details": error.details, "status": error.exit_status}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
