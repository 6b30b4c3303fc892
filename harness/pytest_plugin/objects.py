# SPDX-License-Identifier: MIT
"""Programs of object files in tests: the steps that load and attach them, and handles for their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.check import symbols
from harness.check.trying import translated
from harness.objects.kernel_facts import KernelFacts
from harness.objects.loading import PER_CPU, Loader, Stage
from harness.objects.loading import Step as LoadingStep
from harness.objects.object_file import ObjectFile, ObjectMap, ObjectProgram
from harness.objects.places import place, user_place
from harness.objects.places import portable as portable_symbol
from harness.objects.preparing import Prepared, prepare
from harness.objects.reader import read
from harness.objects.reasons import Refused
from harness.objects.user_files import NoPlace, UserPlace
from harness.script.clause import Said, Step, expect
from harness.script.needs import CPUS
from harness.script.operations import (
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    OpenEvent,
    Operation,
    Ref,
    UpdateElement,
)
from harness.script.outcome import Outcome, PerCpu
from hil.errors import UserError
from hil.nearest import nearest
from hil.target import Target

if TYPE_CHECKING:
    from harness.pytest_plugin.guest import LaneGuest

Key = int | bytes
"""The key of an element; a number is written in as many bytes as the map's keys have."""


@dataclass(frozen=True)
class MapHandle:
    """A map of an object: its methods make the operations on it. `ref` is what other operations call it by."""

    shape: ObjectMap

    @property
    def ref(self) -> Ref:
        """Returns the reference to the map."""
        return Ref(self.shape.name)

    def lookup(self, key: Key = 0) -> LookupElement:
        """Returns the operation that reads the value of `key`; of a per-CPU map, one value for each possible CPU."""
        return LookupElement(self.ref, self._key(key), self.shape.value_size, self.shape.type in PER_CPU)

    def update(self, key: Key, value: int | bytes | Ref | PerCpu) -> UpdateElement:
        """Returns the operation that sets the value of `key`; a number is written in the size of the map's values."""
        if isinstance(value, int):
            value = self._bytes(value, self.shape.value_size, "a value")
        return UpdateElement(self.ref, self._key(key), value)

    def delete(self, key: Key) -> DeleteElement:
        """Returns the operation that deletes `key`."""
        return DeleteElement(self.ref, self._key(key))

    def next_key(self, key: Key | None = None) -> GetNextKey:
        """Returns the operation that reads the key behind `key`, or the first one; kernels before 4.12 take the first
        key only as the one behind a key that is not there."""
        return GetNextKey(self.ref, None if key is None else self._key(key), self.shape.key_size)

    def _key(self, key: Key) -> bytes:
        return self._bytes(key, self.shape.key_size, "a key") if isinstance(key, int) else key

    def _bytes(self, number: int, size: int, what: str) -> bytes:
        try:
            return number.to_bytes(size, "little", signed=number < 0)
        except OverflowError:
            raise UserError(f"{number} does not fit into {what} of {self.shape.name}: {size} bytes") from None


@dataclass(frozen=True)
class Loaded:
    """Programs of an object, as steps of a script: nothing runs before `check` or `run` does, which run it all as one
    script. Every call makes maps and programs anew."""

    guest: LaneGuest
    name: str
    file: ObjectFile
    programs: tuple[ObjectProgram, ...]
    _steps: tuple[Operation, ...]
    _uses: list[str] = field(init=False, default_factory=list, compare=False, repr=False)
    """What a test took of it, which else would do nothing."""

    @property
    def steps(self) -> tuple[Operation, ...]:
        """Returns the operations that load, and attach, the programs."""
        self._uses.append("steps")
        return self._steps

    @property
    def used(self) -> bool:
        """Returns whether a test took anything of it: ran it, or took operations, maps or references."""
        return bool(self._uses)

    def check(self, *steps: Operation | Step) -> tuple[Outcome, ...]:
        """Loads, attaches, and runs `steps`, here and in the model; returns the guest's outcomes of `steps`. Raises
        LoadFailed when the kernel refuses the object; `expect_load` says so beforehand. Otherwise as
        `LaneGuest.check`."""
        __tracebackhide__ = True
        return self.guest.check_object(self.steps, steps)

    def run(self, *steps: Operation) -> tuple[Outcome, ...]:
        """Loads, attaches, and runs `steps`; returns their outcomes. Nothing is compared, see `LaneGuest.run`; raises
        LoadFailed when the kernel refuses the object."""
        __tracebackhide__ = True
        return self.guest.run_object(self.steps, steps)

    def expect_load(self, said: Said, later: Mapping[str, Said] = MappingProxyType({})) -> tuple[Operation | Step, ...]:
        """Returns the steps for `LaneGuest.check`, which state what each load of a program gives, as `expect` does."""
        return tuple(expect(one, said, later) if isinstance(one, LoadProgram) else one for one in self.steps)

    def map(self, name: str) -> MapHandle:
        """Returns the map of that name; raises UserError when no program here uses one."""
        self._uses.append("map")
        used = {ref.name for program in self.programs for _, ref in program.program.maps}
        shape = self.file.map(name)
        if shape is None or name not in used:
            raise UserError(f"{self.name}: its programs here use no map {name!r}", remedy=nearest(name, sorted(used)))
        return MapHandle(shape)

    def program(self, name: str | None = None) -> Ref:
        """Returns the reference to a program, by its section or name; there is no need for one where it is alone."""
        self._uses.append("program")
        return Ref(choose(self.name, self.programs, name).name)

    def event(self, name: str | None = None) -> Ref:
        """Returns the reference to the event that a program is attached to."""
        return Ref(self._opened(name).name)

    def probe(self, name: str | None = None) -> Ref:
        """Returns the reference to the trace event of a program, on which more events can be opened."""
        config = self._opened(name).config
        assert isinstance(config, Ref)
        return config

    def _opened(self, name: str | None) -> OpenEvent:
        wanted = f"event of {choose(self.name, self.programs, name).name}"
        found = next((one for one in self.steps if isinstance(one, OpenEvent) and one.name == wanted), None)
        if found is None:
            raise UserError(f"{self.name}: there is no {wanted}", remedy="attach it: guest.attach, not guest.load")
        return found


def loaded(guest: LaneGuest, file: Path, sections: Sequence[str], *, attach: bool, portable: bool) -> Loaded:
    """Returns programs of an object as steps; errors as `LaneGuest.attach`."""
    name = file.name
    session = guest.session
    facts = replace(KernelFacts.of(session.kernel, CPUS), read_file=lambda path: _content(session.target, path))
    prepared = _prepared(file, facts)
    loader = Loader(prepared, kern_version=0 if portable else None)
    chosen = [choose(name, prepared.file.programs, one) for one in sections or (None,)]
    found = list({program.name: program for program in chosen}.values())
    if portable:
        found = [translated(prepared, program)[0] for program in found]
    steps: list[LoadingStep] = []
    for program in found:
        try:
            steps += loader.load(program)
        except Refused as error:
            raise UserError(f"{name}: {error.what}", remedy=error.remedy or error.refusal.reason.value) from None
        if attach:
            attaching = tuple(loader.attach(program))
            if not attaching and isinstance(none := _nowhere(program, prepared), NoPlace):
                raise UserError(f"{name}: {program.name} {none.what}", remedy=none.remedy)
            if not attaching:
                raise UserError(
                    f"{name}: {_said(program)} cannot be attached here",
                    remedy="load it with guest.load, which attaches nothing, and use it in operations of your own",
                )
            steps += attaching
    if attach:
        _find(name, session.target, found, prepared)
    programs = {step.subject for step in steps if step.stage is Stage.LOAD}
    here = {program.name: program for program in (*prepared.file.programs, *found) if program.name in programs}
    # Those that were asked for come first, and those behind them that they call last.
    order = dict.fromkeys((*(program.name for program in found), *here))
    operations = tuple(step.operation for step in steps)
    return Loaded(guest, name, prepared.file, tuple(here[one] for one in order), operations)


def _content(target: Target, path: str) -> bytes | None:
    """Returns what a file of the target has; None when it cannot be read."""
    done = target.run(["cat", path])
    return None if done.status else done.stdout


def resolve(given: str | Path, folder: Path) -> Path:
    """Returns the file: relative to the folder of the test, or to the current one; raises UserError when there is none,
    with the nearest name."""
    tried = [folder / given, Path(given)]
    found = next((one for one in tried if one.is_file()), None)
    if found is None:
        beside = sorted({one.name for where in tried if where.parent.is_dir() for one in where.parent.glob("*.o")})
        made = nearest(Path(given).name, beside, "there is no object beside it: build it first")
        folders = " nor in ".join(dict.fromkeys(str(one.resolve()) for one in (folder, Path())))
        raise UserError(f"there is no object {given} in {folders}", remedy=made)
    return found


def choose(file: str, programs: Sequence[ObjectProgram], name: str | None) -> ObjectProgram:
    """Returns the program of that section or name, or the only one; raises UserError with the nearest otherwise."""
    found = [one for one in programs if name in (None, one.name)] or [one for one in programs if one.section == name]
    match found:
        case [one]:
            return one
        case []:
            names = dict.fromkeys((*(one.section for one in programs), *(one.name for one in programs)))
            raise UserError(f"{file} has no program in a section {name!r}", remedy=nearest(str(name), names))
    where = "in it" if name is None else f"in section {name!r}"
    sections = {one.section for one in found}
    choice = [one.section if len(sections) == len(found) else one.name for one in found]
    raise UserError(f"{file}: there are {len(found)} programs {where}", remedy=f"name one: {', '.join(choice)}")


def _prepared(file: Path, kernel: KernelFacts) -> Prepared:
    """Returns an object for a kernel; raises UserError for one that is damaged, or has anything that is refused."""
    try:
        found = read(file.read_bytes())
        if not found.refusals:
            return prepare(found, kernel)
        first = found.refusals[0]
    except Refused as error:
        first = error.refusal
    raise UserError(f"{file.name}: {first}", remedy=first.remedy or "`hil object` tells all that is in it")


def _nowhere(program: ObjectProgram, prepared: Prepared) -> UserPlace | NoPlace | None:
    return None if program.meaning is None else user_place(program.meaning, prepared.kernel)


def _said(program: ObjectProgram) -> str:
    mechanism = program.meaning.mechanism if program.meaning else ""
    if mechanism in ("kprobe", "kretprobe", "tracepoint", "tp") and program.meaning and not program.meaning.target:
        return f"section {program.section}, which names no function,"
    return f"section {program.section}, which is for {mechanism or 'nothing known'},"


def _find(name: str, target: Target, programs: Sequence[ObjectProgram], prepared: Prepared) -> None:
    """Raises UserError for a function that the running kernel does not have, with those that it has."""
    kernel = prepared.kernel
    sections = {}
    for program in programs:
        where = place(program.meaning, kernel) if program.meaning else None
        if where is not None and where.kind in ("kprobe", "kretprobe"):
            sections[where.target] = program.section
    for symbol, found in symbols.find(target, sections).items():
        if found.same:
            continue
        remedies = [f"it has {', '.join(found.near)}" if found.near else "look into its /proc/kallsyms"]
        if (other := portable_symbol(symbol, kernel)) != symbol:
            remedies.append(f"portable=True takes {other}")
        raise UserError(
            f"{name}: {kernel.name} has no function {symbol}, which section {sections[symbol]} names",
            remedy="; ".join(remedies),
        )
