# SPDX-License-Identifier: MIT
"""A gdb on the user's terminal instead of ours."""

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
    """Hand the guest, stopped, to gdb with a breakpoint at `symbol`; the script begins when the user continues.

    When gdb is left the guest goes on, and the script's observations are given.
    """
    command = interactive_command(debuggee.machine.arch, debuggee.machine.gdb_socket, debuggee.symbols, (symbol,))
    # The script waits at the stopped guest's door, so gdb cannot come too late for it.
    debuggee.machine.qmp.execute("stop")
    result = debuggee.start(script)
    notify(f"running: {shlex.join(command)}")
    notify("`continue` runs the script to the breakpoint; `detach` or `quit` lets the guest go on")
    before = signal.signal(signal.SIGINT, _not_for_us)
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


def _not_for_us(number: int, frame: object) -> None:
    """Ctrl-C is for gdb, which stops the guest on it. A function, because a signal we ignored would be ignored by gdb
    too (execve(2))."""
