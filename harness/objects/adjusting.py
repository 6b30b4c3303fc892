# SPDX-License-Identifier: MIT
"""A program adjusted to the types of one kernel (CO-RE): bpf_core_calc_relo() and bpf_core_patch_insn(),
tools/lib/bpf/relo_core.c (7.2).

An instruction that asks for what the kernel has not becomes a call of a helper that does not exist, as in libbpf. So
the kernel rejects the program if that instruction can be reached, and takes it if the program checks first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Size, Source
from harness.objects.btf.core import Path, candidates, field_type, follow, local_path, say
from harness.objects.btf.ext import CoreKind, CoreRelocation
from harness.objects.btf.reader import Btf
from harness.objects.btf.types import ENUMERATIONS, Kind
from harness.objects.object_file import ObjectFile, ObjectProgram
from harness.objects.reasons import Reason, Refusal, Refused
from harness.objects.references import CALL
from harness.script.operations import Program

POISON = 0xBAD2310
"""The first number of a helper that stands for something missing, to which the relocation's number is added."""
_EXISTS = frozenset({CoreKind.FIELD_EXISTS, CoreKind.TYPE_EXISTS, CoreKind.ENUMVAL_EXISTS, CoreKind.TYPE_MATCHES})
_ZERO_WITHOUT = _EXISTS | {CoreKind.TYPE_ID_TARGET, CoreKind.TYPE_SIZE}
_SIZES = {size.nbytes: size for size in Size}
_MOST_OFFSET = 0x7FFF


@dataclass(frozen=True)
class Value:
    """What is put into an instruction; of a field's offset, how wide the field is (bytes; 0: does not matter), and
    whether a wider or narrower access means the same (pointers and unsigned numbers)."""

    number: int
    width: int = 0
    resizable: bool = True


@dataclass(frozen=True)
class Adjusted:
    """The program for that kernel, and what it asks of types that the kernel has not; where each is, in the program."""

    program: ObjectProgram
    missing: tuple[Refusal, ...] = ()


def adjusted(program: ObjectProgram, local: Btf, kernel: Btf) -> Adjusted:
    """The program with each of its relocations applied; Refused when the kernel's types leave open which is meant."""
    code, missing, left = list(program.program.instructions), [], []
    relocations = 0
    for pending in program.pending:
        if pending.relocation is None:
            left.append(pending)
            continue
        at, path = pending.instruction, local_path(local, pending.relocation)
        ours = _value(local, path, pending.relocation, path, local)
        theirs = _in_kernel(program, at, pending.relocation, local, path, kernel)
        if theirs is None:
            what = f"instruction {at} of {program.name} asks for {say(local, path)}, which this kernel has not"
            missing.append(Refusal(Reason.FIELD_MISSING, what, program.section, at, program.line(at)))
            poison = Instruction(CALL, imm=POISON + relocations)
            wide = code[at].code == LD_IMM64 and at + 1 < len(code)
            code[at : at + 1 + wide] = [poison] * (1 + wide)
        else:
            _patch(program, code, at, ours, theirs)
        relocations += 1
    changed = replace(program, program=Program(tuple(code), program.program.maps), pending=tuple(left))
    return Adjusted(changed, tuple(missing))


def to_kernel(file: ObjectFile, kernel: Btf) -> tuple[ObjectFile, tuple[Refusal, ...]]:
    """The object with every program adjusted, and what the kernel has not; a program that cannot be is refused."""
    programs: list[ObjectProgram] = []
    missing: list[Refusal] = []
    for program in file.programs:
        try:
            if file.btf is not None and program.refusal is None:
                result = adjusted(program, file.btf, kernel)
                program = result.program
                missing += result.missing
        except Refused as error:
            program = replace(program, refusal=error.refusal)
        programs.append(program)
    return replace(file, programs=tuple(programs)), tuple(missing)


def _in_kernel(
    program: ObjectProgram, at: int, relocation: CoreRelocation, local: Btf, path: Path, kernel: Btf
) -> Value | None:
    """What the kernel's types say, which all candidates must agree on; None when it is missing."""
    if relocation.kind is CoreKind.TYPE_ID_LOCAL:
        return Value(relocation.type)
    found: dict[tuple[int, int], Value] = {}
    for number in candidates(local, path, kernel):
        if (there := follow(local, path, kernel, number, relocation.kind)) is not None:
            value = _value(kernel, there, relocation, path, local)
            found.setdefault((there.bits, value.number), value)
    if len(found) > 1 and relocation.kind is not CoreKind.TYPE_ID_TARGET:
        what = f"instruction {at} of {program.name} asks for {say(local, path)}, of which this kernel has several"
        raise Refused(Reason.AMBIGUOUS_TYPE, what, section=program.section, instruction=at, line=program.line(at))
    if found:
        return next(iter(found.values()))
    return Value(0) if relocation.kind in _ZERO_WITHOUT else None


def _value(btf: Btf, path: Path, relocation: CoreRelocation, ours: Path, local: Btf) -> Value:
    kind = relocation.kind
    if kind in _EXISTS:
        return Value(1)
    if kind in (CoreKind.TYPE_ID_LOCAL, CoreKind.TYPE_ID_TARGET):
        return Value(path.root)
    if kind is CoreKind.TYPE_SIZE:
        return Value(btf.size(path.root))
    if kind is CoreKind.ENUMVAL_VALUE:
        step = path.steps[0]
        return Value(btf.plain(step.type)[1].members[step.index].offset)
    return _of_field(btf, path, kind, _same_meaning(local, ours, btf, path))


def _of_field(btf: Btf, path: Path, kind: CoreKind, resizable: bool) -> Value:
    """bpf_core_calc_field_relo(), for little-endian kernels."""
    last = path.steps[-1]
    number, type = field_type(btf, path)
    bits = btf.type(last.type).members[last.index].bits if last.name else 0
    width = (type.size or 0) if bits else btf.size(number)
    offset = path.bits // 8
    if bits:
        width = max(width, 1)
        offset = offset // width * width
        while path.bits + bits - offset * 8 > width * 8 and width < 8:
            width *= 2
            offset = path.bits // 8 // width * width
    nbits = bits or width * 8
    match kind:
        case CoreKind.FIELD_BYTE_OFFSET:
            return Value(offset, 0 if bits else width, resizable)
        case CoreKind.FIELD_BYTE_SIZE:
            return Value(width)
        case CoreKind.FIELD_SIGNED:
            return Value(int(type.signed))
        case CoreKind.FIELD_LSHIFT_U64:
            return Value(64 - (path.bits + nbits - offset * 8))
    return Value(64 - nbits)


def _same_meaning(local: Btf, ours: Path, btf: Btf, path: Path) -> bool:
    (_, one), (_, other) = field_type(local, ours), field_type(btf, path)
    if one.kind is Kind.PTR and other.kind is Kind.PTR:
        return True
    numbers = {Kind.INT, *ENUMERATIONS}
    return one.kind in numbers and other.kind in numbers and not one.signed and not other.signed


def _patch(program: ObjectProgram, code: list[Instruction], at: int, ours: Value, theirs: Value) -> None:
    """Put the kernel's value in the place of the object's own."""
    instruction, number = code[at], theirs.number
    if instruction.opcode_class in (Class.ALU, Class.ALU64) and instruction.source is Source.K:
        code[at] = replace(instruction, imm=_signed(number))
    elif instruction.code == LD_IMM64 and at + 1 < len(code):
        code[at] = replace(instruction, imm=_signed(number))
        code[at + 1] = replace(code[at + 1], imm=_signed(number >> 32))
    elif instruction.opcode_class in (Class.LDX, Class.ST, Class.STX) and number <= _MOST_OFFSET:
        if ours.width != theirs.width and theirs.width:
            if not theirs.resizable or theirs.width not in _SIZES:
                raise _cannot(
                    program, at, f"accesses {ours.width} bytes of a field that has {theirs.width} in this kernel"
                )
            resized = instruction.opcode_class | instruction.mode | _SIZES[theirs.width]
            instruction = replace(instruction, code=resized)
        code[at] = replace(instruction, off=number)
    else:
        raise _cannot(program, at, "is none that a value of the kernel's types fits into")


def _cannot(program: ObjectProgram, at: int, what: str) -> Refused:
    return Refused(
        Reason.BAD_RELOCATION,
        f"instruction {at} of {program.name} {what}",
        section=program.section,
        instruction=at,
        line=program.line(at),
    )


def _signed(number: int) -> int:
    low = number & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
