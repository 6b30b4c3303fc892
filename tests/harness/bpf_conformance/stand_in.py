# SPDX-License-Identifier: MIT
"""A lane's background process without a machine: the real one's life, and a program's length for its R0.

python -m tests.harness.bpf_conformance.stand_in KERNEL/ARCH/ENGINE IDLE_SECONDS
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.bpf_conformance import server
from harness.bpf_conformance.home import Home
from harness.bpf_conformance.request import ProgramFailed, Request
from hil.errors import BenchError

STARTS = "starts"
"""A file that gets a line at every start."""


def execute(request: Request) -> int:
    length = len(request.program.instructions)
    if length == 2:
        raise ProgramFailed("two is not to my taste", details="the log")
    if length == 3:
        raise ZeroDivisionError
    if length == 4:
        os._exit(1)
    return length


def live(place: Home, idle: float) -> None:
    with (place.folder / STARTS).open("a") as starts:
        starts.write("started\n")
    if Path(place.folder / "broken").exists():
        raise BenchError("cannot boot", remedy="buy another one")
    with place.listen() as listener:
        server._report({"warnings": ["it is not as it should be"]})
        server.serve(listener, idle, execute, lambda: True)


if __name__ == "__main__":
    server._live = live
    sys.exit(server.main(*sys.argv[1:]))
