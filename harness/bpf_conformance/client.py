# SPDX-License-Identifier: MIT
"""The caller's side of a background machine: it starts one when there is none, sends requests, and stops it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import click
from filelock import FileLock

from harness.bpf_conformance.home import Home, receive, send
from harness.bpf_conformance.request import Request
from hil import background
from hil.errors import BenchError, HilError

SERVER = (sys.executable, "-P", "-m", "harness.bpf_conformance.server")
ATTEMPTS = 3
"""Attempts of a call: a machine may end, idle or stopped, just when it is called."""
_MOST_ANSWER = 1 << 22
_ABSENT = (FileNotFoundError, ConnectionRefusedError)


class Failed(HilError):
    """An error in another process, reported as it was there."""

    def __init__(self, of: dict[str, Any]) -> None:
        super().__init__(of["what"], remedy=of["remedy"], details=of["details"])
        self.exit_status = of["status"]


def ask(place: Home, request: Request, idle: float) -> int:
    """Returns R0 of the program on the lane, whose machine is started when there is none, to end after `idle` seconds
    without a call. Raises HilError for errors of the lane."""
    for _ in range(ATTEMPTS):
        try:
            answer = _call(place, request)
        except _ABSENT:
            start(place, idle)
            continue
        if answer:
            if "r0" in answer:
                return int(answer["r0"])
            raise Failed(answer)
    raise BenchError(
        f"the machine of {place.lane} ended {ATTEMPTS} times when it was called", remedy=f"see {place.log}"
    )


def _call(place: Home, request: Request) -> dict[str, Any]:
    """Returns the answer; an empty one when the machine ended instead of answering."""
    with place.connect() as connection:
        try:
            send(connection, json.dumps(request.to_json()).encode())
            message = receive(connection, _MOST_ANSWER)
        except (ConnectionResetError, BrokenPipeError):
            return {}
    return dict(json.loads(message)) if message else {}


def start(place: Home, idle: float) -> None:
    """Starts the machine, unless another process just did; raises HilError when it does not start."""
    _check_lane(place)
    place.make()
    with FileLock(place.start_lock):
        with contextlib.suppress(*_ABSENT):
            place.connect().close()
            return
        with place.log.open("wb") as log:
            server = subprocess.Popen(
                [*SERVER, str(place.lane), str(idle)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=place.folder,
                start_new_session=True,  # it outlives this call, and Ctrl-C here is not for it
            )
        assert server.stdout is not None
        with server.stdout:
            line = server.stdout.readline()
    if not line:
        raise BenchError(
            f"the machine of {place.lane} did not start (status {server.wait()})",
            remedy=f"see {place.log}",
            details=place.log.read_text(errors="replace"),
        )
    said = json.loads(line)
    if "what" in said:
        raise Failed(said)
    for warning in said["warnings"]:
        click.echo(f"warning: {place.lane}: {warning}", err=True)


def stop(place: Home) -> bool:
    """Ends the machine and waits until it has ended; returns False when there is none. Raises BenchError when it does
    not end."""
    try:
        number = int(place.pid.read_text())
    except (OSError, ValueError):
        return False
    with background.found(number, [str(place.lane)]) as process:
        if process is None:
            return False
        if not background.end(process):
            raise BenchError(f"the machine of {place.lane} does not end", remedy=f"see {place.pid} for its process")
    return True


def _check_lane(place: Home) -> None:
    from harness import lane  # imported late: it is needed to start, not to call
    from harness.run.choice import known_lanes

    wanted = [str(place.lane)]
    lane.select(wanted, known_lanes(wanted))
