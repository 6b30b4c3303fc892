# SPDX-License-Identifier: MIT
"""Lets the guest run to an instruction of a program: by breakpoints at every place where that may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import gdb

from harness.debug.inside.guest import half, near, register
from harness.debug.inside.loaded import Loaded
from harness.debug.inside.place import Place, here, return_address
from harness.debug.inside.session import Session
from harness.debug.inside.ways import ways
from hil.errors import BenchError, UserError


@dataclass(frozen=True)
class Target:
    """An address to stop at, but only when the register has the value, where one is named."""

    address: int
    register: str = ""
    value: int = 0

    def met(self) -> bool:
        """Returns whether the guest, at the address, is to stop."""
        return not self.register or register(self.register) == self.value


class _Stop(gdb.Breakpoint):
    def __init__(self, target: Target) -> None:
        super().__init__(f"*{target.address:#x}", type=gdb.BP_HARDWARE_BREAKPOINT, internal=True)
        self.silent = True
        self.reached = False
        self._target = target

    def stop(self) -> bool:
        self.reached = self._target.met()
        return self.reached


def run_to(targets: Iterable[Target]) -> Target:
    """Lets the guest run to one of the targets; raises UserError when it stopped elsewhere."""
    stops: dict[Target, _Stop] = {}
    try:
        for target in targets:
            stops[target] = _Stop(target)
        text = gdb.execute("continue", to_string=True) or ""
        reached = next((target for target, stop in stops.items() if stop.reached), None)
    finally:
        for stop in stops.values():
            if stop.is_valid():
                stop.delete()
    if reached is None:
        gdb.write(text)
        raise UserError(f"the guest stopped before, at {near(register('pc'))}")
    return reached


def at_instruction(session: Session, loaded: Loaded, index: int) -> Iterator[Target]:
    """Yields what to stop at so that an instruction is executed next: it, or the first one behind it that the kernel
    still has."""
    kept = loaded.next_kept(index)
    address = None if kept is None else loaded.address_of(kept)
    if address is None:
        return
    interpreter = session.data.interpreter
    if interpreter is None:
        yield Target(address)
    else:
        yield Target(interpreter.labels[half(address) & 0xFF], interpreter.instruction, address)


def first_instructions(session: Session) -> Iterator[Target]:
    """Yields what to stop at so that a program begins."""
    for one in session.loaded:
        yield from at_instruction(session, one, 0)


def _behind_prologues(session: Session) -> Iterator[Target]:
    """Yields what to stop at so that a program begins by a tail call, which passes over a JIT's prologue, where the
    first instruction is reported."""
    for one in session.loaded:
        if one.native and len(one.kept) > 1:
            yield from at_instruction(session, one, one.kept[1])


def at_end(session: Session, place: Place) -> list[Target]:
    """Returns what to stop at so that the program's end is not missed; nothing when its caller is not known."""
    if place.entry or not place.exact:
        return []
    try:
        return [Target(return_address())]
    except BenchError:
        return []


def step(session: Session) -> Place | None:
    """Lets the guest execute one instruction of a program, or run to the first one of any; returns where it is then,
    None when the program has ended."""
    place = here(session)
    if place is None:
        return _begun(session)
    following, leaves = ways(place.loaded.given, place.indexes[-1])
    targets = [target for index in following for target in at_instruction(session, place.loaded, index)]
    ends = at_end(session, place) if leaves else []
    if leaves:
        targets += [*ends, *first_instructions(session), *_behind_prologues(session)]
    return None if _reached(session, place.loaded, targets) in ends else here(session)


def _begun(session: Session) -> Place | None:
    """Lets the guest run to the first instruction of any program; raises UserError when the kernel has freed them all
    before, as at the end of a script, after which nothing stops the guest."""
    while session.loaded:
        gone = [Target(session.data.unload, session.machine.arguments[0], one.pointer) for one in session.loaded]
        reached = run_to([*first_instructions(session), *gone])
        if reached not in gone:
            return here(session)
        session.forget(reached.value)
    raise session.nothing_loaded()


def until(session: Session, loaded: Loaded, index: int) -> Place | None:
    """Lets the guest run to an instruction; returns where it is then, None when the program ended before.

    Raises UserError when the kernel has no code for it, or frees the program first.
    """
    if index not in loaded.kept:
        raise UserError(
            f"{loaded.data.name} has no instruction {index} in the kernel",
            remedy="see `bpf disas`: the kernel removes some, and a 64 bit constant takes two",
        )
    place = here(session)
    inside = place is not None and place.loaded is loaded
    ends = at_end(session, place) if place is not None and inside else []
    reached = _reached(session, loaded, [*at_instruction(session, loaded, index), *ends])
    return None if reached in ends else here(session)


def _reached(session: Session, loaded: Loaded, targets: Iterable[Target]) -> Target:
    """Lets the guest run to one of the targets; raises UserError when the kernel frees the program first."""
    gone = Target(session.data.unload, session.machine.arguments[0], loaded.pointer)
    reached = run_to(dict.fromkeys([*targets, gone]))
    if reached == gone:
        session.forget(loaded.pointer)
        raise UserError(f"{loaded.data.name} was unloaded before it came there")
    return reached
