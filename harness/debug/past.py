# SPDX-License-Identifier: MIT
"""Answers a gdb that asks what the programs did until now: `bpf back` (`harness.debug.inside.back`).

gdb's Python has neither the records nor what reads them, so it asks this process, by a socket beside that of QEMU's
stub: a line of JSON (`harness.debug.inside.data.Asked`), and as answer lines of text, or an error.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.debug.inside.data import Answer, Asked
from harness.lockstep.actual import GuestProgram
from harness.lockstep.past import lines, moment
from harness.lockstep.recording import LockstepLane
from harness.lockstep.taken import taken
from harness.lowering.watch import LoadedCode
from harness.script.operations import LoadProgram, Script
from hil.errors import HilError, UserError

_log = logging.getLogger(__name__)


@contextmanager
def answering(path: Path, recording: LockstepLane, script: Script) -> Iterator[None]:
    """Answers at a unix socket, which is made at `path` and removed at the end."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=_serve, args=(listening, recording, script), name="past", daemon=True)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # which ends accept() as well
            thread.join()
            path.unlink(missing_ok=True)


def _serve(listening: socket.socket, recording: LockstepLane, script: Script) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        # A gdb that was killed reads no answer.
        with connection, suppress(OSError, ValueError), connection.makefile("rwb") as stream:
            asked = Asked.of(json.loads(stream.readline()))
            try:
                answer = Answer(lines=list(back(recording, script, asked)))
            except HilError as error:
                answer = Answer(what=error.what, remedy=error.remedy)
            except Exception as error:  # or gdb would wait for ever for an answer
                _log.exception("bpf back")
                answer = Answer(what=f"a fault of hil: {error!r}", remedy="its log has the traceback; please report it")
            stream.write(json.dumps(vars(answer)).encode() + b"\n")


def back(recording: LockstepLane, script: Script, asked: Asked) -> Iterator[str]:
    """Yields as text what there was before the instruction that is asked for, of the run that executed the last one.

    Raises UserError when there is no such instruction, and what `LockstepLane.so_far` raises.
    """
    loads = [one for one in script.operations if isinstance(one, LoadProgram)]
    codes = {
        one.number: LoadedCode(
            loads[one.number].name,
            bytes.fromhex(one.translated),
            tuple((at, index) for at, index in one.lines),
            tuple(one.native),
            bytes.fromhex(one.image),
            tuple((address, size) for address, size in one.functions),
        )
        for one in asked.programs
    }
    programs = [
        GuestProgram(one.name, tuple(one.program.instructions), codes.get(number, LoadedCode(one.name)))
        for number, one in enumerate(loads)
    ]
    recorded = recording.so_far(script, programs)
    if not recorded.runs:
        raise UserError(
            "the programs of the script have executed nothing yet",
            remedy="`continue` runs the script to the breakpoint, then `bpf step` to the program and through it",
        )
    last = max(range(len(recorded.runs)), key=lambda number: recorded.runs[number].readings[0][-1].record.order)
    one = taken(str(recording.lane), script.name, recorded)
    count = len(one.runs[last])
    if not 1 <= asked.back <= count:
        raise UserError(f"run {last + 1} has executed {count} instructions", remedy=f"go back by 1 to {count} of them")
    yield from lines(moment(one, last + 1, -asked.back))
