# SPDX-License-Identifier: MIT
"""The debuggee: a lane, booted so that gdb can stop its kernel."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.abi import bpf
from harness.debug.types import type_file
from harness.lane import Lane
from harness.lockstep.recording import LockstepLane, lockstep_machine
from harness.lowering.executor import Missed, Observed
from harness.lowering.watch import Watch
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.release import release
from harness.run.judging import judge
from harness.run.results import ScriptResult
from harness.script.operations import Script
from harness.session import QUIET, Bootable, Listener, Session, lane_session
from hil.errors import BenchError, MachineLost
from hil.gdb.release import release as let_go
from hil.gdb.symbols import check_build, module_file, symbol_file
from hil.gdb.table import SymbolTable
from hil.kernels.kernel import Kernel
from hil.kernels.vmlinux import has_debug_info
from hil.machine import Machine, Wait, speed

RESULT = Wait("the script to end after the breakpoint", 120)
NOTICED = Wait("the end of the machine to be noticed", 2)


@dataclass(frozen=True)
class Debuggee:
    """A session on a lane, and the file with its kernel's symbols; `for_gdb` are the files that gdb is to read, of the
    kernel first. `recording` records what the programs do, if anything does."""

    lane: Lane
    session: Session[Machine]
    symbols: Path
    for_gdb: Sequence[Path]
    recording: LockstepLane | None = None

    @property
    def typed(self) -> bool:
        """Returns whether gdb has debug information of the kernel."""
        return has_debug_info(self.for_gdb[0])

    @property
    def kernel(self) -> Kernel:
        return self.session.kernel

    @property
    def machine(self) -> Machine:
        return self.session.target

    def start(self, script: Script, *, watched: bool = False) -> Future[Observed | Missed]:
        """Runs a script in a thread of its own, so that the guest may stop meanwhile. With `watched`, the kernel is
        told which of its instructions is which of the script's, where it can keep that (`harness.lowering.watch`)."""
        tells = release(self.kernel.era) >= bpf.TELLS_LINES
        self.session.executor.watch = Watch() if watched and tells else None
        future: Future[Observed | Missed] = Future()
        # Not a pool: a pool waits for its threads at the end, and a guest that stays stopped never answers.
        threading.Thread(target=self._run, args=(script, future), name="script", daemon=True).start()
        return future

    def finish(self, result: Future[Observed | Missed]) -> Observed | Missed:
        """Lets the guest run to the end of a script that was started, also when gdb was killed, and returns what was
        observed.

        A machine that does not come to it is ended: an answer that is still to come would be taken for one to what is
        asked next. Raises MachineLost when it has ended, and BenchError.
        """
        self.check_alive()
        try:
            let_go(self.machine.gdb_socket)
        except BenchError:
            # The end of a machine is noticed a moment later than its stub is gone.
            ended = threading.Event()
            self.machine.on_loss(ended.set)
            ended.wait(NOTICED.seconds * speed.scale())
            self.check_alive()
            self.machine.stop()
            raise
        try:
            return result.result(RESULT.seconds * speed.scale())
        except FutureTimeout:
            self.machine.stop()
            raise BenchError(
                f"waiting for {RESULT.name}: timed out ({RESULT.seconds:.0f} nominal s), and the machine was ended",
                remedy="name another script, or look with --interactive at what it waits for",
            ) from None

    def check_alive(self) -> None:
        """Raises MachineLost when the machine has ended."""
        if not self.machine.alive:
            raise MachineLost(f"the machine ended while it was debugged: {self.machine.lost_reason()}")

    @cached_property
    def table(self) -> SymbolTable:
        """Returns the symbols in memory."""
        return SymbolTable.of_elf(self.symbols)

    @property
    def environment(self) -> Environment:
        """Returns what the model has to know of the lane."""
        return self.session.environment(self.lane.engine)

    def judge(self, seen: Observed | Missed) -> ScriptResult:
        """Returns the verdict on the guest's result of a script."""
        return judge(self.lane, seen, ModelExecutor(self.environment))

    @contextmanager
    def finishing(self, result: Future[Observed | Missed]) -> Iterator[None]:
        """Finishes a script also when the body fails, so that the next one finds nothing under way; not when the bench
        was asked to end, since its machines end then."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            with suppress(BenchError):
                self.finish(result)
            raise

    def _run(self, script: Script, future: Future[Observed | Missed]) -> None:
        try:
            if self.recording is None:
                (seen,) = self.session.executor.run([script])
            else:
                seen = self.recording.run(script)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(seen)


@contextmanager
def booted(
    lane: Lane,
    bootable: Bootable,
    folder: Path,
    listener: Listener = QUIET,
    vmlinux: Path | None = None,
    *,
    recorded: bool = False,
) -> Iterator[Debuggee]:
    """Starts a session on `lane` with a kernel at its linked addresses, and its symbols; nothing times out while the
    guest is stopped. With a `vmlinux`, gdb reads the kernel's debug information from it; raises UserError when it is of
    another build. What programs do is `recorded` if asked for; errors then also as `lockstep_machine`."""
    with ExitStack() as stack:
        recording = None
        if recorded:
            machine = stack.enter_context(lockstep_machine(lane.kernel, bootable, folder, listener, for_gdb=True))
            session, recording = machine.session, machine.lane(lane.engine)
        else:
            session = stack.enter_context(
                lane_session(bootable, folder, engine=lane.engine, for_gdb=True, listener=listener)
            )
        if vmlinux is not None:
            check_build(vmlinux, session.kernel, session.target)
        yield replace(debuggee_on(lane, session, listener, vmlinux), recording=recording)


def debuggee_on(
    lane: Lane, session: Session[Machine], listener: Listener = QUIET, vmlinux: Path | None = None
) -> Debuggee:
    """Returns the debuggee of a session that began `for_gdb`, with its engine chosen; errors as `symbol_file`."""
    kernel, target = session.kernel, session.target
    symbols = symbol_file(kernel, target, notify=listener.note)
    if vmlinux is None and kernel.vmlinux is None:
        types = type_file(kernel, listener.note)
        return Debuggee(lane, session, symbols, (symbols, types) if types else (symbols,))
    if vmlinux is None or vmlinux == symbols:
        return Debuggee(lane, session, symbols, (symbols,))
    return Debuggee(lane, session, symbols, (vmlinux, module_file(kernel, target, notify=listener.note)))
