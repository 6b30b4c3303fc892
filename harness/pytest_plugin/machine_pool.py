"""Room for one machine, which serves every test of a kernel and architecture."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType

from harness.lane import Lane
from harness.lowering.context import Guest
from harness.lowering.executor import GuestExecutor
from harness.script.needs import CPUS
from hil import guestroot
from hil.arch import architecture
from hil.errors import HilError, MachineLost
from hil.kernels import store
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec

Ready = tuple[Machine, GuestExecutor]


class MachinePool:
    """Holds the machine that was asked for last, and only that one; a context manager, the machine ends with it."""

    def __init__(self, folder: Path) -> None:
        """Every machine leaves its files in a folder of its own below `folder`."""
        self._folder = folder
        self._failures: dict[tuple[str, str], HilError] = {}
        self._kept: tuple[str, str] | None = None
        self._ready: Ready | None = None
        self._open = ExitStack()

    def __enter__(self) -> MachinePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def machine(self, lane: Lane) -> Ready:
        """The machine for a lane, which answers, and the executor of its guest with the engine chosen.

        A machine that does not answer is replaced. EngineUnavailable as `GuestExecutor.switch`; HilError when there is
        no kernel, or it does not boot, and then for all of its lanes, as another attempt would hardly end otherwise.
        """
        wanted = lane.kernel, lane.arch
        if self._ready is not None and self._kept == wanted:
            try:
                self._ready[1].switch(lane.engine)
            except MachineLost:
                pass  # found dead, or beyond talking to
            else:
                return self._ready
        if wanted in self._failures:
            raise self._failures[wanted]
        self._leave()
        try:
            self._ready = self._boot(store.get(lane.kernel, architecture(lane.arch)))
        except HilError as error:
            self._failures[wanted] = error
            raise
        self._kept = wanted
        self._ready[1].switch(lane.engine)
        return self._ready

    def _boot(self, kernel: Kernel) -> Ready:
        folder = self._free(f"{kernel.name}-{kernel.arch}")
        machine = Machine(MachineSpec(kernel, guestroot.build(kernel), folder, cpus=CPUS))
        with ExitStack() as stack:
            stack.enter_context(machine)
            executor = stack.enter_context(GuestExecutor(machine, Guest.of(kernel)))
            self._open = stack.pop_all()
        return machine, executor

    def _free(self, name: str) -> Path:
        names = (name if number == 1 else f"{name}-{number}" for number in count(1))
        return next(folder for folder in (self._folder / one for one in names) if not folder.exists())

    def _leave(self) -> None:
        self._ready = None
        self._open.close()
