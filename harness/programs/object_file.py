# SPDX-License-Identifier: MIT
"""One program of an object file, as `hil model` takes it: with nothing of a kernel at hand."""

from __future__ import annotations

from harness.objects.adjusting import adjusted
from harness.objects.btf.reader import Btf
from harness.objects.object_file import ObjectFile, ObjectProgram
from harness.objects.reader import read as read_object
from harness.objects.reasons import Reason, Refused
from harness.programs.source import Source
from hil.errors import UserError

_REMEDIES = {
    Reason.NEEDS_KERNEL_TYPES: "build it without CO-RE (no BPF_CORE_READ, no preserve_access_index), or give the"
    " kernel's types with --types",
    **dict.fromkeys(
        (Reason.NEEDS_KERNEL_FUNCTION, Reason.NEEDS_KERNEL_SYMBOL, Reason.NEEDS_CONFIG),
        "only a kernel decides that, and none is at hand here",
    ),
}


def read(content: bytes, wanted: str | None = None, kernel: Btf | None = None) -> Source:
    """The program that is called `wanted`, or is in the section of that name; by default the only one there is.

    UserError for what is not understood, or is decided by a kernel's types or configuration.
    """
    file = read_object(content)
    if file.byte_order != "little":
        raise Refused(
            Reason.WRONG_BYTE_ORDER,
            f"a {file.byte_order}-endian BPF object file of 64 bits",
            remedy="compile for bpfel, which every architecture here runs",
        )
    program = pick(file, wanted)
    if kernel is not None and file.btf is not None:
        program = adjusted(program, file.btf, kernel).program
    _check(file, program)
    said = program.meaning
    return Source(
        program.program,
        tuple(map.create() for map in file.maps),
        file.license,
        file.kern_version,
        program.section,
        said.type if said else None,
        "" if said is None or said.alone else f"section {program.section} is loaded with more than its type",
    )


def pick(file: ObjectFile, wanted: str | None) -> ObjectProgram:
    """The program of that name or section; UserError when there is none or several, with their names."""
    if not file.programs:
        raise UserError("the object file has no section with instructions")
    named = [program for program in file.programs if program.name == wanted]
    found = named or [program for program in file.programs if wanted in (None, program.section)]
    if len(found) == 1:
        return found[0]
    sections = dict.fromkeys(program.section for program in file.programs)
    choice = f"choose with --section: {', '.join(sections)}"
    if not found:
        raise UserError(f"the object file has no program in section {wanted!r}", remedy=choice)
    inside = dict.fromkeys(program.section for program in found)
    if len(inside) > 1:
        raise UserError(f"the object file has {len(inside)} sections with instructions", remedy=choice)
    names = ", ".join(program.name for program in found)
    raise UserError(
        f"section {found[0].section} holds {len(found)} programs: {names}", remedy="choose one of them with --section"
    )


def _check(file: ObjectFile, program: ObjectProgram) -> None:
    wrong = next((one for one in file.refusals if one.reason in (Reason.BAD_BTF, Reason.BAD_VERSION)), None)
    if refusal := program.refusal or wrong:
        raise Refused(refusal.reason, str(refusal), remedy=refusal.remedy)
    if program.pending:
        first = program.pending[0]
        raise Refused(
            first.reason,
            first.what,
            section=program.section,
            instruction=first.instruction,
            line=program.line(first.instruction),
            remedy=_REMEDIES[first.reason],
        )
