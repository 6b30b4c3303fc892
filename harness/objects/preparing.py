# SPDX-License-Identifier: MIT
"""An object prepared for one kernel: programs adjusted to its types, the content of .kconfig, and what it cannot have.

bpf_object__load(), tools/lib/bpf/libbpf.c (7.2), as far as it asks for nothing of a running kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.objects.adjusting import adjusted
from harness.objects.externs import config_content
from harness.objects.kernel_facts import KernelFacts
from harness.objects.kernel_targets import target
from harness.objects.object_file import ObjectFile, ObjectMap, ObjectProgram, Origin
from harness.objects.reasons import Reason, Refusal, Refused

_REMEDIES = {
    Reason.NEEDS_KERNEL_TYPES: "give a kernel with CONFIG_DEBUG_INFO_BTF, since 5.2, or build the object without CO-RE",
    Reason.NEEDS_ATTACH_TYPE: "load it with a loader of its own",
}


@dataclass(frozen=True)
class Prepared:
    """An object for one kernel. `missing` is what programs ask of types that the kernel does not have, by the name of
    the program: each such instruction is a call that the verifier rejects when it is reached. `refused` says, by the
    name of the program, why it cannot be passed to this kernel at all."""

    file: ObjectFile
    kernel: KernelFacts
    missing: Mapping[str, tuple[Refusal, ...]]
    refused: Mapping[str, Refusal]
    targets: Mapping[str, int] = field(default_factory=dict)
    """What programs are loaded for, by their names: the number of a function or a tracepoint in the kernel's types."""


def prepare(file: ObjectFile, kernel: KernelFacts) -> Prepared:
    """Returns the object as a loader would pass it to that kernel; raises Refused for the other byte order."""
    if file.byte_order != "little":
        raise Refused(
            Reason.WRONG_BYTE_ORDER,
            f"a {file.byte_order}-endian BPF object file of 64 bits",
            remedy="compile for bpfel, which every architecture here runs",
        )
    programs: list[ObjectProgram] = []
    missing: dict[str, tuple[Refusal, ...]] = {}
    refused: dict[str, Refusal] = {}
    targets: dict[str, int] = {}
    for program in file.programs:
        try:
            program, missing[program.name] = _adjusted(file, program, kernel)
            _check(program)
            if program.meaning is not None and program.meaning.by_type:
                targets[program.name] = target(program, program.meaning, kernel)
        except Refused as error:
            refused[program.name] = replace(
                error.refusal, remedy=error.remedy or _REMEDIES.get(error.refusal.reason, "")
            )
        programs.append(program)
    maps, unset = _maps(file, kernel)
    for program in programs:
        if unset and any(ref.name == ".kconfig" for _, ref in program.program.maps):
            what = f"{program.name} reads {', '.join(unset)}, which the configuration of {kernel.name} does not set"
            refused.setdefault(program.name, Refusal(Reason.NEEDS_CONFIG, what, program.section))
    return Prepared(replace(file, programs=tuple(programs), maps=maps), kernel, missing, refused, targets)


def _adjusted(
    file: ObjectFile, program: ObjectProgram, kernel: KernelFacts
) -> tuple[ObjectProgram, tuple[Refusal, ...]]:
    if program.refusal or file.btf is None or not any(one.relocation for one in program.pending):
        return program, ()
    if kernel.types is None:
        return program, ()
    result = adjusted(program, file.btf, kernel.types)
    return result.program, result.missing


def _check(program: ObjectProgram) -> None:
    """Refused for what is still open, or is more than a program's type tells the kernel."""
    if refusal := program.refusal:
        raise Refused(refusal.reason, refusal.what, section=refusal.section, instruction=refusal.instruction)
    open_ones = [one for one in program.pending if one.reason is not Reason.NEEDS_CONFIG]
    if open_ones:
        first = open_ones[0]
        raise Refused(
            first.reason,
            first.what,
            section=program.section,
            instruction=first.instruction,
            line=program.line(first.instruction),
        )
    if program.meaning is None:
        what = f"the name of section {program.section} tells no type of program"
        raise Refused(Reason.UNKNOWN_SECTION, what, section=program.section)


def _maps(file: ObjectFile, kernel: KernelFacts) -> tuple[tuple[ObjectMap, ...], tuple[str, ...]]:
    """Returns the maps, .kconfig with its content, and the names of options that must be set and are not."""
    if not any(map.origin is Origin.CONFIG for map in file.maps):
        return file.maps, ()
    content, unset = config_content(file.externs, kernel.config, kernel.version_code)
    filled = tuple(replace(map, content=content) if map.origin is Origin.CONFIG else map for map in file.maps)
    return filled, unset
