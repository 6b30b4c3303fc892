# SPDX-License-Identifier: MIT
"""The first difference of a script as data: both sides, the instructions around, the native code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.isa.opcodes import REGISTERS
from harness.isa.text import listing
from harness.lockstep.actual import GuestStep
from harness.lockstep.comparing import Compared, stays
from harness.lockstep.decided import told
from harness.lockstep.dispatch import machine_code
from harness.lockstep.findings import AROUND, Difference, Line, text
from harness.model.value import Value


def difference(compared: Compared, run: int, arch: str) -> Difference:
    """Returns where a run parts; it must do so."""
    parting = compared.parting
    assert parting is not None
    steps, guest = compared.model.steps, compared.guest
    program = guest[0].program.name if guest else "?"
    here = steps[parting.after].step if parting.after >= 0 else None
    texts = {id(one.step.program): dict(listing(one.step.program)) for one in steps}
    return Difference(
        program,
        run,
        max(parting.after, 0),
        here.pc if here else -1,
        texts[id(here.program)][here.pc] if here else "",
        parting.what,
        parting.model,
        parting.guest,
        tuple(_around(compared, texts)),
        _native(compared, arch) if here else (),
        tuple(told(steps[parting.after], guest, parting.guest_at)) if parting.removed else (),
        cpu=guest[0].record.cpu if guest else 0,
    )


def _around(compared: Compared, texts: Mapping[int, Mapping[int, str]]) -> Iterator[Line]:
    parting = compared.parting
    assert parting is not None
    steps, guest = compared.model.steps, list(compared.guest)
    first = max(0, parting.after - AROUND)
    by_step = _aligned(compared)
    for number in range(first, min(len(steps), parting.after + 1 + AROUND)):
        step = steps[number].step
        here, following = by_step.get(number), by_step.get(number + 1)
        changed = (
            "" if here is None or following is None else _changed(guest[here].registers, guest[following].registers)
        )
        yield Line(
            step.pc,
            texts[id(step.program)][step.pc],
            _changed(step.before, step.after),
            changed,
            number == parting.after,
        )


def _aligned(compared: Compared) -> dict[int, int]:
    """Returns the guest's step by the model's, as far as both went the same way, and two steps further."""
    found: dict[int, int] = {}
    at = 0
    for number, one in enumerate(compared.model.steps):
        if at >= len(compared.guest):
            break
        if one.step.pc in compared.guest[at].indexes:
            found[number] = at
            at += not stays(compared.model.steps, number, compared.guest[at])
    return found


def _changed(before: tuple[Value, ...], after: tuple[Value, ...]) -> str:
    changes = (
        f"R{number}={text(after[number])}"
        for number in range(REGISTERS)
        if before[number] is not after[number] and repr(before[number]) != repr(after[number])
    )
    return " ".join(changes)


def _native(compared: Compared, arch: str) -> tuple[str, ...]:
    """Returns the native code of the instruction after which both part, empty under the interpreter."""
    parting = compared.parting
    assert parting is not None
    here = compared.model.steps[parting.after].step
    executed = [one for one in compared.guest[: parting.guest_at] if here.pc in one.indexes]
    if not executed or not executed[-1].program.code.native:
        return ()
    return tuple(native_code(executed[-1], arch))


def native_code(step: GuestStep, arch: str) -> Iterator[str]:
    """Yields the native instructions of a step, with their addresses."""
    program, start = step.program, step.record.words[0]
    end = min((address for address in program.native if address > start), default=start)
    yield from machine_code(arch, program.image_at(start, end - start), start)
