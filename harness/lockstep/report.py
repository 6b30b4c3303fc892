# SPDX-License-Identifier: MIT
"""The first difference of a lockstep as data and as text: both sides, the instructions around, the native code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from harness.isa.opcodes import REGISTERS
from harness.isa.text import listing
from harness.lockstep.actual import GuestStep
from harness.lockstep.comparing import Compared
from harness.lockstep.dispatch import machine_code
from harness.lockstep.expected import ModelStep
from harness.model.value import Partial, Value

AROUND = 5
"""The instructions before and after the one that differs."""


@dataclass(frozen=True)
class Line:
    """An instruction that the model executed: its number in the program, its text, the registers that differ after it
    from before in the model and in the guest; `here` marks the one after which both part."""

    number: int
    text: str
    model: str
    guest: str
    here: bool


@dataclass(frozen=True)
class Difference:
    """Where a run parts from the model. `run` counts the program's runs from 1, `step` its executed instructions from
    0; `instruction` is the number in the program of the one after which `what` differs, -1 when it did before the
    first.
    """

    script: str
    program: str
    run: int
    step: int
    instruction: int
    text: str
    what: str
    model: str
    guest: str
    source: str
    around: tuple[Line, ...]
    native: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Returns the document that goes into `results.json`."""
        return asdict(self)


def difference(
    script: str, compared: Compared, run: int, arch: str, source: Mapping[int, str] | None = None
) -> Difference:
    """Returns where a run parts; it must do so."""
    parting = compared.parting
    assert parting is not None
    steps, guest = compared.model.steps, compared.guest
    program = guest[0].program.name if guest else "?"
    here = steps[parting.after].step if parting.after >= 0 else None
    texts = {id(one.step.program): dict(listing(one.step.program)) for one in steps}
    return Difference(
        script,
        program,
        run,
        max(parting.after, 0),
        here.pc if here else -1,
        texts[id(here.program)][here.pc] if here else "",
        parting.what,
        parting.model,
        parting.guest,
        (source or {}).get(here.pc, "") if here else "",
        tuple(_around(compared, texts)),
        _native(compared, arch) if here else (),
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
        text = texts[id(step.program)][step.pc]
        yield Line(step.pc, text, _changed(step.before, step.after), changed, number == parting.after)


def _aligned(compared: Compared) -> dict[int, int]:
    """Returns the guest's step by the model's, as far as both went the same way, and two steps further."""
    found: dict[int, int] = {}
    at = 0
    for number, one in enumerate(compared.model.steps):
        if at >= len(compared.guest):
            break
        if one.step.pc in compared.guest[at].indexes:
            found[number] = at
            at += one.step.pc == compared.guest[at].indexes[-1] or one.step.next not in compared.guest[at].indexes
    return found


def _changed(before: tuple[Value, ...], after: tuple[Value, ...]) -> str:
    changes = (
        f"R{number}={_text(after[number])}"
        for number in range(REGISTERS)
        if before[number] is not after[number] and repr(before[number]) != repr(after[number])
    )
    return " ".join(changes)


def _text(value: Value) -> str:
    if isinstance(value, int):
        return f"{value:#x}"
    return "?" if isinstance(value, Partial) else repr(value).removeprefix("Pointer(").removesuffix(")")


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
    image, offset = b"", 0
    for function, size in program.code.functions:
        if function <= start < function + size:
            image = program.code.image[offset + start - function : offset + min(end - function, size)]
        offset += size
    yield from machine_code(arch, image, start)


def text(found: Difference) -> Iterator[str]:
    """Yields the lines of a difference."""
    where = f"after {found.instruction}: {found.text}" if found.instruction >= 0 else "before the first instruction"
    yield f"{found.script}: {found.program}, run {found.run}, step {found.step}: {where}"
    yield f"  {found.what}: model {found.model}, kernel {found.guest}"
    if found.source:
        yield f"  source: {found.source}"
    for line in found.around:
        mark = ">" if line.here else " "
        sides = line.model if line.model == line.guest else f"model {line.model or '-'} | kernel {line.guest or '-'}"
        yield f"  {mark} {line.number:4}: {line.text:44} {sides}".rstrip()
    yield from (f"    {line}" for line in found.native)


__all__ = ["AROUND", "Difference", "Line", "ModelStep", "difference", "native_code", "text"]
