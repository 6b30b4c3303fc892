# SPDX-License-Identifier: MIT
"""The one way to a running lane: its kernel, a guest root, a machine, the agent in it, its greeting, the engine.

    with lane_session(prepare("debian-12", "arm64"), folder, engine=Engine.JIT) as session:
        session.executor.run(scripts)

A board that runs already is a lane as well: `board_session`.

What is the same for all commands is here; what differs is a parameter, with its reason.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from harness.lane import Engine
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import PATIENCE, GuestExecutor
from harness.model.environment import Environment
from harness.model.interface.settings import EVER
from harness.script.needs import CPUS
from hil import cache, guestroot
from hil.arch import architecture
from hil.board.board import Board, BoardTarget
from hil.errors import EXHAUSTED, MachineLost, UserError
from hil.facts import Facts
from hil.guestroot import GuestRoot
from hil.kernels import store
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec, MachineStopped, states
from hil.machine.cpus import at_first, bring_up
from hil.machine.monitor import NoAnswer
from hil.machine.postmortem import Death, PostMortem
from hil.machine.spec import NO_KASLR
from hil.target import Target

AnyTarget = TypeVar("AnyTarget", bound=Target)
TargetOf = TypeVar("TargetOf", bound=Target, covariant=True)


class Phase(StrEnum):
    """The phases of a session, in this order, as reports name them."""

    KERNEL = "kernel"
    GUEST_ROOT = "guest root"
    BOOT = "boot"
    SSH = "SSH"
    ENGINE = "engine"


class Listener:
    """Receives the progress of a session. Every method does nothing; subclasses override what they need."""

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        """Returns a context manager that is entered when a phase begins and left when it ends, or fails."""
        return nullcontext()

    def note(self, line: str) -> None:
        """Reports progress, such as that a kernel is being fetched."""

    def warning(self, line: str) -> None:
        """Reports that the running kernel differs from its records, or that these were never checked."""

    def made(self, machine: Target) -> None:
        """Receives the machine, or board, that is about to start; its `stop` ends it from any thread. An exception
        here ends the session before the start."""


class LineListener(Listener):
    """Calls `tell` with a line for each event."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def note(self, line: str) -> None:
        self.tell(line)

    def warning(self, line: str) -> None:
        self.tell(f"warning: {line}")


QUIET = Listener()


@dataclass(frozen=True)
class Bootable:
    """A kernel and the root file system it boots into."""

    kernel: Kernel
    root: GuestRoot
    disks: Mapping[str, Path] = field(default_factory=dict)
    """As in MachineSpec."""
    memory: int | None = None
    """MiB, where it is not the usual amount."""


@dataclass(frozen=True)
class OnBoard:
    """A board, the kernel that it runs, the kernel of the catalogue with the same records, "" where none has, and the
    number of CPUs that it may bring up."""

    board: Board
    kernel: Kernel
    like: str = ""
    cpus: int = CPUS


@dataclass(frozen=True)
class Session(Generic[TargetOf]):
    """A target that runs `kernel`, has reported its facts, and runs scripts; `boot_seconds` is the time until then, and
    `restored` whether it was restored from a saved state."""

    kernel: Kernel
    target: TargetOf
    executor: GuestExecutor
    facts: Facts
    boot_seconds: float = 0.0
    restored: bool = False

    def environment(self, engine: Engine) -> Environment:
        """Returns what the model has to know of this kernel with an engine."""
        return Environment.of(self.kernel, engine, self.facts)

    def bring_up_cpus(self) -> None:
        """Starts the CPUs that a session begins without; raises BenchError when one does not come up."""
        bring_up(self.target)


def prepare(name: str, arch: str, listener: Listener = QUIET, *, disks: bool = False) -> Bootable:
    """Returns the kernel `name`, which is fetched if it is not in the cache, and its guest root, with the drivers of
    disks if asked for; errors as `hil.kernels.store.get` and `hil.guestroot.build`."""
    with listener.phase(Phase.KERNEL):
        kernel = store.get(name, architecture(arch), notify=listener.note)
    with listener.phase(Phase.GUEST_ROOT):
        return Bootable(kernel, guestroot.build(kernel, disks=disks, notify=listener.note))


@contextmanager
def lane_session(
    bootable: Bootable,
    folder: Path,
    *,
    engine: Engine | None = None,
    all_cpus: bool = False,
    for_gdb: bool = False,
    plugin: str = "",
    cold: bool = False,
    listener: Listener = QUIET,
) -> Iterator[Session[Machine]]:
    """Boots a machine, or restores it as it was after its first answer, and ends it with the session. Its files are
    left in `folder`.

    `engine` is chosen when one is given; callers that run scripts in both choose with `executor.switch`. A session
    begins on one CPU where its kernel can bring up the other one later (`harness.script.needs.CPUS` says why); with
    `all_cpus` on all of them, for users who may do anything, as tests of the pytest plugin. With `for_gdb` the kernel
    runs at its linked addresses, and nothing times out while the guest is stopped; with `plugin`, a value of QEMU's
    option -plugin, at its linked addresses as well. Machines for gdb, those with disks, and those of architectures that
    QEMU cannot restore are always booted; others when they are to be `cold`, when HIL_COLD is set, or when there is no
    saved state that works (`hil.machine.states`).

    Raises UserError when the kernel does not have the engine, BenchError when another kernel booted, MachineLost when
    the machine ends or does not answer.
    """
    spec = specification(bootable, folder, all_cpus=all_cpus, for_gdb=for_gdb, plugin=plugin)
    booted = cold or for_gdb or spec.disks or bootable.kernel.arch.always_booted
    warm = states.wanted() and bootable.root.connects and not booted
    with ExitStack() as stack:
        session = _restored(stack, spec, listener) if warm else None
        if session is None:
            session = _started(stack, spec, listener)
            if warm:
                states.keep(session.target, notify=listener.note)
        how = "restored" if session.restored else "booted"
        listener.note(f"{how} in {session.boot_seconds:.1f} s: {session.facts.uname}")
        _warn(session, engine, listener)
        if engine is not None:
            with listener.phase(Phase.ENGINE):
                choose_engine(session, engine)
        yield session


@contextmanager
def board_session(where: OnBoard, folder: Path, *, listener: Listener = QUIET) -> Iterator[Session[BoardTarget]]:
    """Uses a board, which is left as it was with the session; what its console prints is kept in `folder`. Raises
    UserError when it is in use, BenchError when it runs another kernel, MachineLost when it does not answer."""
    started = time.monotonic()
    target = BoardTarget(where.board, where.kernel.arch, where.kernel.release, folder)
    listener.made(target)
    with ExitStack() as stack:
        with listener.phase(Phase.BOOT):
            stack.enter_context(target)
        with listener.phase(Phase.SSH):
            session = stack.enter_context(session_on(target, where.kernel, since=started))
        _warn(session, None, listener)
        yield session


@contextmanager
def session_on(
    target: AnyTarget, kernel: Kernel, *, patience: float = PATIENCE, since: float | None = None
) -> Iterator[Session[AnyTarget]]:
    """Returns a session on a target that runs already, and goes on running after it; errors as `GuestExecutor`.

    `patience` is the agent's, in nominal seconds; the boot began at `since`, by the monotonic clock.
    """
    with GuestExecutor(target, Guest.of(kernel), patience=patience) as executor:
        facts = executor.facts(EVER)
        yield Session(kernel, target, executor, facts, 0.0 if since is None else time.monotonic() - since)


def specification(
    bootable: Bootable, folder: Path, *, all_cpus: bool = False, for_gdb: bool = False, plugin: str = ""
) -> MachineSpec:
    """Returns the machine that `lane_session` boots."""
    append = (*(() if all_cpus else at_first(bootable.kernel)), *((NO_KASLR,) if for_gdb or plugin else ()))
    spec = MachineSpec(
        bootable.kernel, bootable.root, folder, cpus=CPUS, append=append, plugin=plugin, disks=bootable.disks
    )
    spec = spec if bootable.memory is None else replace(spec, memory=bootable.memory)
    return replace(spec, patience=math.inf) if for_gdb else spec


def _warn(session: Session[Target], engine: Engine | None, listener: Listener) -> None:
    for warning in session.environment(engine or Engine.INTERP).warnings:
        listener.warning(warning)


def _restored(stack: ExitStack, spec: MachineSpec, listener: Listener) -> Session[Machine] | None:
    """Restores the machine from a saved state; None when there is none, or it does not work. It is removed then, unless
    QEMU ended before it looked at it, for want of memory as an example."""
    state = states.find(spec)
    if state is None:
        return None
    try:
        return _started(stack, replace(spec, state=state), listener)
    except (MachineLost, cache.Damaged, cache.Unusable) as error:
        causes = tuple(_causes(error))
        if any(map(_is_of_the_bench, causes)):
            raise
        listener.warning(f"booted anew, since the saved machine {state.name} could not be used: {error}")
        if not any(isinstance(cause, NoAnswer) for cause in causes):
            with suppress(cache.Unusable):  # then it stays, and is tried again
                states.discard(state)
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_of_the_bench(error: BaseException) -> bool:
    """Whether the bench itself ended the machine, or had no descriptors or memory, which says nothing of its state."""
    exhausted = isinstance(error, OSError) and error.errno in EXHAUSTED
    return exhausted or isinstance(error, MachineStopped)


def _started(stack: ExitStack, spec: MachineSpec, listener: Listener) -> Session[Machine]:
    """Starts the machine and enters its session into `stack`; nothing is left running when that fails."""
    began = time.monotonic()
    machine = Machine(spec)
    machine.remains.examiner = examiner = _Examiner(machine)
    listener.made(machine)
    with ExitStack() as own:
        with listener.phase(Phase.BOOT):
            own.enter_context(machine)
        with listener.phase(Phase.SSH):
            patience = PATIENCE if spec.patience < math.inf else math.inf
            session = own.enter_context(session_on(machine, spec.kernel, patience=patience, since=began))
            examiner.executor = session.executor
            if spec.state is not None:
                session.executor.wake()
                session = replace(session, restored=True)
        stack.push(own.pop_all())
        return session


class _Examiner:
    """Reads what is left of a machine's guest that died or hangs."""

    def __init__(self, machine: Machine) -> None:
        self.executor: GuestExecutor | None = None
        self._machine = machine

    def __call__(self, death: Death) -> PostMortem:
        # with readers of symbols and stacks, which machines that live do not need
        from harness.postmortem.examiner import Examiner

        return Examiner(self._machine, self.executor)(death)


def choose_engine(session: Session[Target], engine: Engine) -> None:
    """Lets programs that are loaded from now on be run by an engine; raises UserError when the kernel does not have
    it."""
    try:
        session.executor.switch(engine)
    except EngineUnavailable as error:
        raise UserError(f"the lane {session.kernel}/{engine} does not exist: {error}") from None
