"""A lane, booted so that it can be debugged."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.lane import Lane
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.interface.settings import EVER
from harness.run.judging import judge
from harness.run.results import ScriptResult
from harness.script.operations import Script
from hil import guestroot
from hil.errors import UserError
from hil.gdb import NO_KASLR, symbol_file
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """A running machine, the executor of its guest, and the file with its kernel's symbols."""

    lane: Lane
    kernel: Kernel
    machine: Machine
    executor: GuestExecutor
    symbols: Path

    def start(self, script: Script) -> Future[Observed | Missed]:
        """Run a script in a thread of its own, so that the guest may stop meanwhile."""
        future: Future[Observed | Missed] = Future()
        # Not a pool: a pool waits for its threads at the end, and a guest that stays stopped never answers.
        threading.Thread(target=self._run, args=(script, future), name="script", daemon=True).start()
        return future

    @property
    def environment(self) -> Environment:
        """What the model is told of the lane."""
        return Environment.of(self.kernel, self.lane.engine, self.executor.agent.hello, self.executor.settings(EVER))

    def judge(self, seen: Observed | Missed) -> ScriptResult:
        """The verdict on what the guest made of a script."""
        return judge(self.lane, seen, ModelExecutor(self.environment))

    def _run(self, script: Script, future: Future[Observed | Missed]) -> None:
        try:
            (seen,) = self.executor.run([script])
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(seen)


@contextmanager
def booted(lane: Lane, kernel: Kernel, folder: Path, notify: Notify = lambda _: None) -> Iterator[Bench]:
    """Boot the kernel of a lane at its linked addresses, choose the engine, and have the symbols ready.

    Nothing times out because the guest stands still.
    """
    root = guestroot.build(kernel, notify=notify)
    notify(f"booting {kernel}")
    spec = MachineSpec(kernel, root, folder, append=(NO_KASLR,), patience=math.inf)
    with Machine(spec) as machine:
        symbols = symbol_file(kernel, machine, notify=notify)
        guest = Guest.of(kernel)
        with GuestExecutor(machine, guest, patience=math.inf) as executor:
            try:
                executor.switch(lane.engine)
            except EngineUnavailable as error:
                raise UserError(f"the lane {lane} does not exist: {error}") from None
            yield Bench(lane, kernel, machine, executor, symbols)
