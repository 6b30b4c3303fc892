# SPDX-License-Identifier: MIT
"""The background process of a machine that stays up.

    python -m harness.keep.process KERNEL/ARCH/ENGINE SECONDS SURROUNDINGS

It writes one line of JSON to standard output when the machine is up, or why it is not. It ends after SECONDS, on
SIGTERM, and when the machine is lost.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from harness.keep.home import Kept, home, record
from harness.lane import Engine, Lane
from harness.loader.access import Access
from harness.loader.rooted import Surroundings
from harness.loader.running import Place
from harness.session import LineListener, Listener, lane_session
from hil.errors import HilError, MachineLost, UserError


def main(text: str, seconds: str, surroundings: str) -> int:
    """Holds the machine until its end; returns the exit status."""
    signal.signal(signal.SIGTERM, _end)
    kernel, arch, engine = text.split("/")
    lane = Lane(kernel, arch, Engine(engine))
    folder = home(text)
    wanted = json.loads(surroundings)
    wanted["packages"] = tuple(wanted["packages"])
    try:
        with _alone(folder, text):
            hold(lane, Surroundings(**wanted), folder, float(seconds), _up(folder))
    except HilError as error:
        print(error, file=sys.stderr)
        _report({"what": error.what, "remedy": error.remedy, "details": error.details, "status": error.exit_status})
        return error.exit_status
    return 0


@contextmanager
def _alone(folder: Path, lane: str) -> Iterator[None]:
    """Is entered by one process of a lane at a time, whose log and record it begins and whose record it removes."""
    try:
        lock = FileLock(folder / "life.lock").acquire(timeout=0)
    except Timeout:
        raise UserError(f"a machine of {lane} starts or ends just now", remedy="see `hil boot --list`") from None
    with lock:
        record(folder).unlink(missing_ok=True)  # a killed process left it
        with suppress(OSError):  # no file
            os.ftruncate(sys.stderr.fileno(), 0)
        try:
            yield
        finally:
            record(folder).unlink(missing_ok=True)


def hold(
    lane: Lane,
    surroundings: Surroundings,
    folder: Path,
    seconds: float,
    up: Callable[[Kept], None],
    listener: Listener | None = None,
) -> None:
    """Boots a machine, calls `up` with it, and holds it for some seconds, or until it is lost. Errors as
    `harness.session.lane_session`."""
    told = listener or LineListener(lambda line: print(line, file=sys.stderr, flush=True))
    with (
        surroundings.bootable(lane.kernel, lane.arch, told) as bootable,
        lane_session(bootable, folder / "machine", engine=lane.engine, all_cpus=True, listener=told) as session,
    ):
        Place(session.target, session.executor).prepare(bootable)
        access = Access.of(session.target, folder, rooted=surroundings.root is not None)
        over = threading.Event()
        session.target.on_loss(over.set)
        up(Kept(str(lane), os.getpid(), time.time() + seconds, access))
        if over.wait(seconds):
            raise MachineLost(f"the machine of {lane} is gone: {session.target.lost_reason()}")


def _up(folder: Path) -> Callable[[Kept], None]:
    def tell(kept: Kept) -> None:
        kept.write(folder)
        _report({})

    return tell


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # an orderly end takes a moment, and once is enough
    sys.exit(0)


def _report(answer: dict[str, object]) -> None:
    """Reports to the process that started this one, which may be gone."""
    try:
        print(json.dumps(answer), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
