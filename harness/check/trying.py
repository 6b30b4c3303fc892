# SPDX-License-Identifier: MIT
"""Programs of objects as scripts: each program of each object is one, which loads, attaches and fires it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.abi.bpf import Command
from harness.check.registers import OWN, Foreign, foreign
from harness.objects.kernel_facts import KernelFacts
from harness.objects.loading import Loader, Stage, Step
from harness.objects.object_file import ObjectFile, ObjectProgram
from harness.objects.places import Place, place, portable
from harness.objects.preparing import Prepared, prepare
from harness.objects.reasons import Reason, Refusal, Refused
from harness.script.bounds import ROOM, nbytes
from harness.script.malformed import Malformed
from harness.script.operations import (
    CreateKprobe,
    Execute,
    Exit,
    Fork,
    RawBpf,
    ReadCount,
    ReadProfile,
    ReadRuns,
    Ref,
    Script,
    Trigger,
)
from harness.script.triggers import TRIGGERS
from hil.errors import UserError

WORD = "hello"
_PING = ("ping", "-c", "1", "-W", "1")
"""Sends a packet to the loopback device, and waits a second at most for the answer, which a program may drop."""
WITHOUT_EVENT = frozenset({"raw_tracepoint", "trampoline", "typed_tracepoint", "multi", "device", "iterator"})
"""The kinds of places that have no perf event which could be read."""
_COUNTED = WITHOUT_EVENT | {"tracepoint", "uprobe", "perf_event"}
"""The kinds of places of whose programs the kernel is asked how often it ran them, which it counts since 5.8. Where
there is an event, that is read as well, for earlier kernels: the event of a tracepoint or a uprobe lacks the hits that
the program filtered out (perf_trace_run_bpf_submit(), kernel/events/core.c), and that of page faults counts these, not
the runs."""
_MAGIC = (0x7FFF0001, 0x1234, 0x5678, 0, 0)
_VALID = {"null_lseek": (0x1234, 0)}
"""Arguments with which the system call comes as far as the function, where it is not so with any: lseek(2) looks at
`whence` first."""


@dataclass(frozen=True)
class NamedObject:
    """An object and what messages call it: the file, and the byte it begins at where a file holds several."""

    name: str
    file: ObjectFile


@dataclass(frozen=True)
class Trial:
    """A program of an object on one kernel. Either `script` tries it, and `stages` runs parallel to its operations; or
    `refused` says why nothing can be tried. `notes` say what was changed of the object."""

    object: str
    prepared: Prepared
    program: ObjectProgram
    name: str
    script: Script | None = None
    steps: tuple[Step, ...] = ()
    refused: Refusal | None = None
    notes: tuple[str, ...] = ()
    foreign: Foreign = OWN
    """What it reads of another architecture's registers."""
    translated: bool = False
    triggered: bool = False
    """Whether a user chose what fires it."""

    @property
    def place(self) -> Place | None:
        """Where the program is attached; None where the bench has no operation for that."""
        said = self.program.meaning
        return None if said is None else place(said, self.prepared.kernel)

    def at(self, stage: Stage) -> tuple[int, ...]:
        """Returns the indices of the operations of a stage."""
        return tuple(index for index, step in enumerate(self.steps) if step.stage is stage)

    @property
    def trigger(self) -> str:
        """Returns the name of the trigger that reaches its function; empty where none is known."""
        where = self.place
        return next((name for name, path in TRIGGERS.items() if where and where.reaches(path.symbol)), "")

    @property
    def missing(self) -> tuple[Refusal, ...]:
        """Returns what it asks of types that the kernel does not have."""
        return self.prepared.missing.get(self.program.name, ())

    @property
    def license(self) -> str:
        """Returns the object's licence; empty where it has none."""
        return self.prepared.file.license or ""

    @property
    def kern_version(self) -> int | None:
        """Returns the version the program is loaded with; None is the running kernel's."""
        return None if self.translated else self.prepared.file.kern_version or None

    @property
    def load(self) -> int | None:
        """Returns the index of the operation that loads the program itself."""
        return next((at for at in self.at(Stage.LOAD) if self.steps[at].subject == self.program.name), None)


def trials(
    objects: Sequence[NamedObject],
    kernel: KernelFacts,
    trigger: Trigger | Execute | None = None,
    *,
    translate: bool = False,
    wanted: Callable[[ObjectProgram], bool] = lambda _: True,
) -> Iterator[Trial]:
    """Yields a trial for each `wanted` program of the objects, for one kernel. `trigger` fires every program that is
    attached; without it, the one known for the function does. With `translate`, the object is made portable: its
    version is the running kernel's, and system calls are named as this kernel names them."""
    names = iter(script_names(objects))
    for one in objects:
        try:
            prepared = prepare(one.file, kernel)
        except Refused as error:
            raise UserError(f"{one.name}: {error.what}", remedy=error.remedy) from None
        for compiled, program, name in zip(one.file.programs, prepared.file.programs, names, strict=False):
            if not wanted(program):
                continue
            other = foreign(one.file, compiled, kernel.arch)
            notes: tuple[str, ...] = (other.note,) if other.note else ()
            if translate:
                program, changed = translated(prepared, program)
                notes += changed
            made = Trial(one.name, prepared, program, name, notes=notes, foreign=other, translated=translate)
            yield _trial(replace(made, triggered=trigger is not None), trigger)


def script_names(objects: Sequence[NamedObject]) -> tuple[str, ...]:
    """Returns the name of the script of every program of the objects, whichever of them are tried: `probe.o:count`."""
    names: dict[str, None] = {}
    for one in objects:
        for program in one.file.programs:
            names[_unique(f"{one.name.rpartition('/')[2]}:{program.name}", names)] = None
    return tuple(names)


def _trial(trial: Trial, trigger: Trigger | Execute | None) -> Trial:
    program = trial.program
    loader = Loader(trial.prepared, kern_version=0 if trial.translated else None)
    try:
        steps = tuple(_steps(trial, loader, trigger))
    except Refused as error:
        return replace(trial, refused=error.refusal)
    if untyped := loader.untyped.get(program.name):
        trial = replace(trial, notes=(*trial.notes, f"on {trial.prepared.kernel.name} {untyped}"))
    try:
        script = Script(trial.name, f"{program.section} of {trial.object}", tuple(step.operation for step in steps))
    except Malformed as error:
        reason = Reason.TOO_MUCH_MEMORY if _too_large(steps) else Reason.NO_SCRIPT
        return replace(trial, refused=Refusal(reason, f"{program.name}: {error.what}", program.section))
    return replace(trial, script=script, steps=steps)


def _too_large(steps: Sequence[Step]) -> bool:
    return sum(nbytes(step.operation) for step in steps) > ROOM


def _steps(trial: Trial, loader: Loader, trigger: Trigger | Execute | None) -> Iterator[Step]:
    yield from loader.load(trial.program)
    attached = tuple(loader.attach(trial.program))
    kind = trial.place.kind if attached and trial.place is not None else ""
    if kind in _COUNTED:
        statistics = RawBpf(Command.ENABLE_STATS, name="statistics of runs")
        yield Step(Stage.FIRE, statistics, trial.program.name)
    yield from attached
    if attached and (other := partner(trial.prepared, trial.program)) is not None:
        both = (*loader.load(other), *loader.attach(other))
        yield from (replace(step, stage=Stage.PARTNER, subject=other.name) for step in both)
    if attached:
        for operation in _fire(trial, trigger):
            yield Step(Stage.FIRE, operation, trial.program.name)
    if kind in _COUNTED:
        yield Step(Stage.FIRE, ReadRuns(Ref(trial.program.name)), trial.program.name)
    if kind and kind != "socket" and kind not in WITHOUT_EVENT:
        yield Step(Stage.FIRE, ReadCount(Ref(f"event of {trial.program.name}")), trial.program.name)
    yield from (
        Step(Stage.FIRE, ReadProfile(Ref(step.operation.name)), trial.program.name)
        for step in attached
        if isinstance(step.operation, CreateKprobe)
    )
    yield from loader.read(trial.program)


def partner(prepared: Prepared, program: ObjectProgram) -> ObjectProgram | None:
    """Returns the program that runs at the other end of the same function and shares a map with this one, as the two
    that measure how long a function takes; None where there is none that can be loaded. Neither half does anything by
    itself."""
    said = program.meaning
    where = None if said is None else place(said, prepared.kernel)
    if said is None or where is None or not where.shared:
        return None
    maps = _shared(prepared, program)
    for other in prepared.file.programs:
        its = other.meaning
        if its is None or other.name in prepared.refused or its.returns is said.returns:
            continue
        there = place(its, prepared.kernel)
        if there is not None and there.shared == where.shared and maps & _shared(prepared, other):
            return other
    return None


def _shared(prepared: Prepared, program: ObjectProgram) -> set[str]:
    """The maps of a program through which it can leave something to another one."""
    frozen = {map.name for map in prepared.file.maps if map.frozen}
    return {ref.name for _, ref in program.program.maps} - frozen


def _fire(trial: Trial, trigger: Trigger | Execute | None) -> Iterator[Fork | Execute | Exit | Trigger | ReadCount]:
    where = trial.place
    if where is not None and where.kind == "iterator":
        yield ReadCount(Ref(f"iterator of {trial.program.name}"))
    elif isinstance(trigger, Execute):
        yield from (Fork(), trigger, Exit())
    elif trigger is not None:
        yield trigger
    elif known := trial.trigger:
        open_ones = len(TRIGGERS[known].chosen)
        yield Trigger(known, _VALID.get(known, _MAGIC[:open_ones]))
    elif where is not None and where.kind == "device":
        yield from (Fork(), Execute("127.0.0.1", _PING), Exit())
    elif where is not None and where.kind != "socket":
        yield from (Fork(), Execute(WORD), Exit())


def translated(prepared: Prepared, program: ObjectProgram) -> tuple[ObjectProgram, tuple[str, ...]]:
    """Returns a program with the system call of its section named as the kernel names it, and what was changed."""
    said, notes = program.meaning, []
    version = prepared.file.kern_version
    if version not in (None, 0, prepared.kernel.version_code):
        notes.append(f"version {version:#x} in the object, set to that of the running kernel")
    if said is not None and (symbol := portable(said.target, prepared.kernel)) != said.target:
        notes.append(f"{said.target} is {symbol} on {prepared.kernel.name}")
        program = replace(program, meaning=replace(said, target=symbol))
    return program, tuple(notes)


def _unique(name: str, taken: Container[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        number, unique = number + 1, f"{name}-{number}"
    return unique
