# SPDX-License-Identifier: MIT
"""Programs with the functions that they call behind them: bpf_object__reloc_code(), tools/lib/bpf/libbpf.c (7.2).

Of functions that are called from several places there is one copy, behind whatever called it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.isa.instruction import MOST_INSTRUCTIONS, Instruction
from harness.isa.opcodes import LD_IMM64, Pseudo
from harness.objects.btf.ext import CoreRelocation
from harness.objects.functions import Function
from harness.objects.object_file import FunctionType, Pending
from harness.objects.reasons import Line, Reason, Refused
from harness.objects.references import CALL, PSEUDO_CALL, PSEUDO_KFUNC_CALL, Reference, ToFunction, ToKernel, ToMap
from harness.script.operations import Program, Ref

_DEEPEST = 64
"""Functions that call each other; kernels take 8 (MAX_CALL_FRAMES)."""


@dataclass(frozen=True)
class Parts:
    """What an object has to put together, by section: functions and the numbers of their types by the instruction they
    begin with, and by instruction what it refers to, its line, and how it is adjusted to a kernel's types."""

    functions: Mapping[int, Mapping[int, Function]]
    references: Mapping[int, Mapping[int, Reference | Refused]]
    lines: Mapping[int, Mapping[int, Line]]
    core: Mapping[int, Mapping[int, CoreRelocation]]
    names: Mapping[int, str]
    types: Mapping[int, Mapping[int, int]]


@dataclass
class Linked:
    """A program as it grows."""

    code: list[Instruction] = field(default_factory=list)
    maps: list[tuple[int, Ref]] = field(default_factory=list)
    functions: list[tuple[int, str]] = field(default_factory=list)
    lines: list[tuple[int, Line]] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    types: list[FunctionType] = field(default_factory=list)
    placed: dict[tuple[int, int], int] = field(default_factory=dict)

    def program(self) -> Program:
        return Program(tuple(self.code), tuple(self.maps))


def link(parts: Parts, entry: Function) -> Linked:
    """The whole program that begins with `entry`; Refused names the instruction that leads nowhere."""
    linked = Linked()
    _append(parts, linked, entry, 0)
    return linked


def _append(parts: Parts, linked: Linked, function: Function, depth: int) -> int:
    """Put a function behind what there is, and behind it what it calls; returns where it begins."""
    base = linked.placed[function.key] = len(linked.code)
    if base + len(function.instructions) > MOST_INSTRUCTIONS or depth > _DEEPEST:
        raise Refused(Reason.TOO_LARGE, f"with what it calls, {linked.functions[0][1]} is larger than any kernel takes")
    linked.functions.append((base, function.name))
    if (type := parts.types.get(function.section, {}).get(function.start)) is not None:
        linked.types.append(FunctionType(base, type, hidden=function.hidden))
    linked.code += function.instructions
    here = range(function.start, function.start + len(function.instructions))
    lines, core = parts.lines.get(function.section, {}), parts.core.get(function.section, {})
    references = parts.references.get(function.section, {})
    linked.lines += ((base + at - function.start, line) for at, line in lines.items() if at in here)
    for at, instruction in zip(here, function.instructions, strict=True):
        index = base + at - function.start
        if (relocation := core.get(at)) is not None:
            linked.pending.append(_to_types(linked, index, relocation))
        reference = references.get(at)
        if isinstance(reference, Refused):
            raise _placed(parts, function, at, reference.refusal.reason, reference.refusal.what, reference.remedy)
        match reference:
            case ToMap():
                _to_map(linked, index, instruction, reference)
            case ToKernel():
                _to_kernel(linked, index, instruction, reference)
            case ToFunction():
                start = _target(parts, linked, function, at, reference, depth)
                _point(linked, index, instruction, start)
            case None if instruction.code == CALL and instruction.src == PSEUDO_CALL:
                there = at + 1 + instruction.imm
                if there not in here or there in parts.functions[function.section]:
                    reference = ToFunction(function.section, there)
                    _point(linked, index, instruction, _target(parts, linked, function, at, reference, depth))
    return base


def _to_types(linked: Linked, index: int, to: CoreRelocation) -> Pending:
    what = f"is relocated to the kernel's own {to.name} when it is loaded (CO-RE, access {to.access})"
    return Pending(Reason.NEEDS_KERNEL_TYPES, index, f"instruction {index} of {linked.functions[0][1]} {what}", to)


def _to_map(linked: Linked, index: int, instruction: Instruction, to: ToMap) -> None:
    source = Pseudo.MAP_FD if to.offset is None else Pseudo.MAP_VALUE
    linked.code[index] = replace(instruction, src=source, imm=0)
    linked.maps.append((index, Ref(to.name)))
    if to.offset is not None and index + 1 < len(linked.code):
        signed = to.offset - (1 << 32) if to.offset >> 31 else to.offset
        linked.code[index + 1] = replace(linked.code[index + 1], imm=signed)
    if to.name == ".kconfig":
        what = f"instruction {index} of {linked.functions[0][1]} reads the kernel's configuration"
        linked.pending.append(Pending(Reason.NEEDS_CONFIG, index, what))


def _to_kernel(linked: Linked, index: int, instruction: Instruction, to: ToKernel) -> None:
    if instruction.code == CALL:
        linked.code[index] = replace(instruction, src=PSEUDO_KFUNC_CALL, imm=0)
        reason, what = Reason.NEEDS_KERNEL_FUNCTION, f"calls {to.extern.name} of the kernel"
    else:
        reason, what = Reason.NEEDS_KERNEL_SYMBOL, f"refers to {to.extern.name} of the kernel"
    what = f"instruction {index} of {linked.functions[0][1]} {what}"
    linked.pending.append(Pending(reason, index, f"{what}, which may be missing" if to.extern.weak else what))


def _target(parts: Parts, linked: Linked, function: Function, at: int, to: ToFunction, depth: int) -> int:
    called = parts.functions.get(to.section, {}).get(to.start)
    if called is None:
        what = (
            f"leads to instruction {to.start} of section {parts.names.get(to.section, '?')}, where no function begins"
        )
        raise _placed(parts, function, at, Reason.BAD_CALL, what)
    if called.key in linked.placed:
        return linked.placed[called.key]
    return _append(parts, linked, called, depth + 1)


def _point(linked: Linked, index: int, instruction: Instruction, start: int) -> None:
    source = Pseudo.FUNCTION if instruction.code == LD_IMM64 else PSEUDO_CALL
    linked.code[index] = replace(instruction, src=source, imm=start - index - 1)


def _placed(parts: Parts, function: Function, at: int, reason: Reason, what: str, remedy: str = "") -> Refused:
    """The refusal of an instruction with its place."""
    lines = parts.lines.get(function.section, {})
    known = [place for place in lines if function.start <= place <= at]
    index, name = at - function.start, parts.names.get(function.section, "")
    return Refused(
        reason,
        f"instruction {index} of {function.name} {what}",
        section=name,
        instruction=index,
        line=lines[max(known)] if known else None,
        remedy=remedy,
    )
