# SPDX-License-Identifier: MIT
"""What a kernel is told of a program's own functions and lines: bpf_object__sanitize_and_load_btf(), and func_info and
line_info of bpf_object_load_prog(), tools/lib/bpf/libbpf.c (7.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.abi.bpf import COLUMN_BITS, Command
from harness.isa.opcodes import LD_IMM64
from harness.objects.btf.excerpt import Excerpt
from harness.objects.btf.reader import Btf
from harness.objects.btf.sanitising import FUNCTIONS_SINCE
from harness.objects.btf.types import Kind
from harness.objects.object_file import ObjectProgram
from harness.objects.reasons import Refused
from harness.release import Release
from harness.script.operations import Buffer, Part, RawBpf, Ref, Types

_MOST_LINE, _MOST_COLUMN = (1 << 22) - 1, (1 << COLUMN_BITS) - 1


@dataclass(frozen=True)
class OwnTypes:
    """The operation that loads the type information of a program, and what the program is then loaded with."""

    load: RawBpf
    types: Types


def own_types(program: ObjectProgram, types: Btf | None, release: Release) -> OwnTypes | str:
    """Returns what a kernel of that release takes; else why it is told nothing, empty where the object has nothing to
    tell, or no kernel of that release takes it."""
    if types is None or not program.types or release < FUNCTIONS_SINCE:
        return ""
    told = {one.instruction: one for one in program.types}
    begins = [at for at, _ in program.functions]
    if missing := [name for at, name in program.functions if at not in told]:
        return f"loaded without the types of its functions (BTF), which the object does not have of {missing[0]}"
    try:
        if strange := [one.number for one in program.types if types.type(one.number).kind is not Kind.FUNC]:
            return f"loaded without the types of its functions (BTF): type {strange[0]} is none of a function"
        hidden = {one.number for one in program.types if one.hidden}
        excerpt = Excerpt(types, release, (one.number for one in program.types), hidden)
    except Refused as error:
        return f"loaded without the types of its functions (BTF): {error.what}"
    lines = tuple(_lines(program, excerpt))
    content = excerpt.writer.blob()
    name = f"types of {program.name}"
    parts = (Part(0, 8, Buffer(content)), Part(16, 4, len(content)))
    return OwnTypes(
        RawBpf(Command.BTF_LOAD, parts, name=name),
        Types(
            Ref(name),
            tuple((at, excerpt.number(told[at].number)) for at in begins),
            lines if {at for at, *_ in lines}.issuperset(begins) else (),
            tuple(at for at in begins[1:] if told[at].number in excerpt.globals),
        ),
    )


def _lines(program: ObjectProgram, excerpt: Excerpt) -> Iterator[tuple[int, int, int, int]]:
    """Yields the lines that the kernel takes: in the order of their instructions, one for each, none within a constant
    of 64 bits (check_btf_line(), kernel/bpf/verifier.c)."""
    code, string = program.program.instructions, excerpt.writer.string
    for at, line in sorted(dict(program.lines).items()):
        second = at and code[at - 1].code == LD_IMM64 and not code[at].code
        if not second and line.number <= _MOST_LINE:
            place = line.number << COLUMN_BITS | min(line.column, _MOST_COLUMN)
            yield at, string(line.file), string(line.text), place
