# SPDX-License-Identifier: MIT
"""Programs that read registers of another architecture than the lane's out of their context.

Every kernel takes such a program, since all the offsets are within its own `struct pt_regs`, and it then gets other
registers. Which architecture it was compiled for is certain where the object's own types (BTF) have the structure;
where they do not, its offsets say at most what they would be elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.abi.pt_regs import LAYOUTS, PtRegs
from harness.objects.btf.registers import architecture
from harness.objects.context import Read, reads
from harness.objects.loading import Stage
from harness.objects.object_file import ObjectFile, ObjectProgram
from harness.release import newest
from harness.run.checked import OTHER_REGISTERS, Why
from harness.script.operations import ProgramType

_NEWEST = (1 << 16, 0)


@dataclass(frozen=True)
class Foreign:
    """What a program reads of registers that the lane does not have: `why` where it is certain, else `note`."""

    why: Why | None = None
    note: str = ""


OWN = Foreign()
"""A program of which nothing says that it reads any."""


def foreign(file: ObjectFile, program: ObjectProgram, arch: str) -> Foreign:
    """Returns what a program, as it was compiled, reads of another architecture's registers on a lane of `arch`."""
    said = program.meaning
    if said is None or said.type not in (ProgramType.KPROBE, ProgramType.PERF_EVENT):
        return OWN
    found = reads(program)
    compiled_for = architecture(file.btf)
    if not found or compiled_for == arch:
        return OWN
    if compiled_for:
        return Foreign(_certain(program, found, compiled_for, arch))
    return Foreign(note=_likely(found, arch, returns=said.returns) if said.type is ProgramType.KPROBE else "")


def _certain(program: ObjectProgram, found: Sequence[Read], compiled_for: str, arch: str) -> Why:
    first = found[0]
    line = program.line(first.instruction)
    there, here = _name(compiled_for, first.offset), _name(arch, first.offset)
    return Why(
        Stage.LOAD,
        f"{program.name} reads {there} of {compiled_for} in its context, at byte {first.offset}; on {arch} that is"
        f" {here}",
        OTHER_REGISTERS,
        rule=f"the object is compiled for {compiled_for}: its types (BTF) have that struct pt_regs; a kernel takes any"
        " offset in its own",
        remedy=f"compile it for {arch}",
        instruction=first.instruction,
        line=str(line) if line else "",
        source=line.text if line else "",
    )


def _likely(found: Sequence[Read], arch: str, *, returns: bool) -> str:
    """Says what offsets are elsewhere where all of them carry something to or from a function there, and none does
    here; empty where it is not so."""
    offsets = sorted({one.offset for one in found})
    own = _layout(arch)
    used = {own.offsets[name] for name in (*own.arguments, own.returns, own.ip, own.sp)}
    if not used.isdisjoint(offsets):
        return ""
    elsewhere = [
        f"on {other} they are {', '.join(_name(other, offset) for offset in offsets)}"
        for other in LAYOUTS
        if other != arch and set(offsets) <= set(_carriers(_layout(other), returns=returns))
    ]
    if not elsewhere:
        return ""
    here = ", ".join(_name(arch, offset) for offset in offsets)
    return (
        f"on {arch} it reads {here} (bytes {', '.join(map(str, offsets))} of its context), where no"
        f" {'result' if returns else 'argument'} is; {' and '.join(elsewhere)}: it may be compiled for another"
        " architecture"
    )


def _carriers(layout: PtRegs, *, returns: bool) -> Iterator[int]:
    """Yields the offsets of the registers with a function's arguments, or its result."""
    yield from (layout.offsets[name] for name in ((layout.returns,) if returns else layout.arguments))


def _name(arch: str, offset: int) -> str:
    """Returns the name of the register at an offset, or of its part; of what is behind them, what there is to say."""
    layout = _layout(arch)
    named = next((name for name, start in layout.offsets.items() if start <= offset < start + 8), "")
    return named or ("behind the registers" if offset >= layout.size else "no register")


def _layout(arch: str) -> PtRegs:
    found = newest(LAYOUTS[arch], _NEWEST)
    assert found is not None
    return found
