# SPDX-License-Identifier: MIT
"""A gdb on the user's terminal."""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout

from harness.debug.debuggee import Debuggee
from harness.debug.looking import RESULT
from harness.lowering.executor import Missed, Observed
from harness.script.operations import Script
from hil.errors import BenchError, MachineLost
from hil.gdb.command import interactive_command
from hil.gdb.process import environment
from hil.machine import speed
from hil.machine.tied import tied


def interact(debuggee: Debuggee, script: Script, symbol: str, notify: Callable[[str], None]) -> Observed | Missed:
    """Hands the guest, stopped, to gdb with a breakpoint at `symbol`; the script begins when the user continues.

    When gdb ends, the guest goes on, and the script's observations are returned.
    """
    command = interactive_command(debuggee.machine.arch, debuggee.machine.gdb_socket, debuggee.symbols, (symbol,))
    # The guest is stopped, so the script cannot run before gdb has set its breakpoint.
    debuggee.machine.qmp.execute("stop")
    result = debuggee.start(script)
    notify(f"running: {shlex.join(command)}")
    notify("`continue` runs the script to the breakpoint; `detach` or `quit` lets the guest go on")
    before = signal.signal(signal.SIGINT, _ignore)
    try:
        status = subprocess.run(tied(command), env=environment(), check=False).returncode
    except OSError as error:
        raise BenchError(f"cannot start {command[0]}: {error.strerror}") from error
    finally:
        signal.signal(signal.SIGINT, before)
    if not debuggee.machine.alive:
        raise MachineLost(f"the machine ended while it was debugged: {debuggee.machine.lost_reason()}")
    if status:
        notify(f"gdb ended with status {status}")
    # A gdb that was killed leaves the guest stopped.
    debuggee.machine.qmp.execute("cont")
    try:
        return result.result(RESULT.seconds * speed.scale())
    except FutureTimeout:
        raise BenchError(f"waiting for {RESULT.name}: timed out ({RESULT.seconds:.0f} nominal s)") from None


def _ignore(number: int, frame: object) -> None:
    """Ignores Ctrl-C, which is for gdb, where it stops the guest. This is a function, because a signal that is ignored
    here would be ignored by gdb too (execve(2))."""
