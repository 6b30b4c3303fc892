# SPDX-License-Identifier: MIT
"""A pool of one machine, which serves every test of a kernel and architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType

from harness.lane import Lane
from harness.session import Bootable, LineListener, Listener, Phase, Session, lane_session, prepare
from hil.errors import HilError, MachineLost
from hil.heartbeat import Heartbeat
from hil.machine import Machine

WAITING = {
    Phase.KERNEL: "fetching or checking its kernel",
    Phase.GUEST_ROOT: "making its guest root",
    Phase.BOOT: "booting it, or restoring it as it was saved",
    Phase.SSH: "until its agent answers",
}
"""What is waited for in each phase of a session."""


class MachinePool:
    """Holds the machine that was asked for last, and only that one; it is a context manager, and the machine ends with
    it."""

    def __init__(self, folder: Path, tell: Callable[[str], None] = lambda _: None, *, for_gdb: bool = False) -> None:
        """Makes a pool whose machines write their files in folders of their own below `folder`. `tell` receives what is
        fetched for them, and every few seconds that one is still awaited, and in which phase. With `for_gdb` they are
        as `lane_session` boots them for it, with one CPU."""
        self._folder, self._tell, self._for_gdb = folder, tell, for_gdb
        self._failures: dict[tuple[str, str], HilError] = {}
        self._kept: tuple[str, str] | None = None
        self._ready: Session[Machine] | None = None
        self._open = ExitStack()

    def __enter__(self) -> MachinePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_session()

    def session(self, lane: Lane) -> Session[Machine]:
        """Returns a session on a machine for the lane, which answers, with the engine chosen.

        A machine that does not answer is replaced. Raises EngineUnavailable as `GuestExecutor.switch`; HilError when
        there is no kernel, or it does not boot, and then for all of its lanes, as another attempt would hardly end
        otherwise.
        """
        wanted = lane.kernel, lane.arch
        if self._ready is not None and self._kept == wanted:
            try:
                self._ready.executor.switch(lane.engine)
            except MachineLost:
                pass  # the machine is dead, or does not answer
            else:
                return self._ready
        if wanted in self._failures:
            raise self._failures[wanted]
        self._end_session()
        phases = _Phases()
        try:
            with Heartbeat(self._tell, lambda _, since: phases.line("/".join(wanted), since)) as tell:
                self._ready = self._boot(prepare(lane.kernel, lane.arch, _Preparing(tell, phases)), phases)
        except HilError as error:
            self._failures[wanted] = error
            raise
        self._kept = wanted
        self._ready.executor.switch(lane.engine)
        return self._ready

    def _boot(self, bootable: Bootable, phases: Listener) -> Session[Machine]:
        folder = self._free(f"{bootable.kernel.name}-{bootable.kernel.arch}")
        # What a test does, and on which CPU, is not known beforehand.
        every = not self._for_gdb
        booting = lane_session(bootable, folder, all_cpus=every, for_gdb=self._for_gdb, listener=phases)
        return self._open.enter_context(booting)

    def _free(self, name: str) -> Path:
        names = (name if number == 1 else f"{name}-{number}" for number in count(1))
        return next(folder for folder in (self._folder / one for one in names) if not folder.exists())

    def _end_session(self) -> None:
        self._ready = None
        self._open.close()


class _Phases(Listener):
    """Knows the phase that a session is in."""

    def __init__(self) -> None:
        self._now: Phase | None = None

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        self._now = phase
        yield

    def line(self, machine: str, seconds: float) -> str:
        """The line for who waits for the machine since then."""
        what = f" ({WAITING[self._now]})" if self._now in WAITING else ""
        return f"waiting for {machine}{what}: {seconds:.0f} s"


class _Preparing(LineListener):
    """Tells what is fetched, and keeps the phase."""

    def __init__(self, tell: Callable[[str], None], phases: _Phases) -> None:
        super().__init__(tell)
        self._phases = phases

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        return self._phases.phase(phase)
