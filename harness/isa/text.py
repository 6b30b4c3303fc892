# SPDX-License-Identifier: MIT
"""Programs as text, in the notation of the verifier's log, both ways.

    start:
    (79) r2 = *(u64 *)(r1 +112)      the opcode in front is optional and must be right
    if r2 == 0x0 goto out            a jump goes to a label, or `pc+1`
    r1 = map counter                 a map of the script by its name
    call bpf_map_lookup_elem#1       or `call 1`; logs since 4.10 have the name
    out: r0 = 0                      a label may share a line; `;` and `#` begin a comment
    exit
    main():                          the label of a function of whose type the kernel is told
    call main                        or `call pc+1`

Where the log of 4.1 loses something (it prints `be16 r1` as `r1 endian (u32) r0`, a 64 bit constant by its low half,
and no reserved field at all) this notation follows later kernels or adds it in braces, so that
`assemble(disassemble(program)) == program`. The log itself is printed by `harness.model.verifier.log`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from harness.isa.assemble import aim
from harness.isa.instruction import Instruction
from harness.isa.notation import is_wide, parse, render
from harness.isa.opcodes import Helper
from harness.isa.table import Opcode, find
from harness.script.operations import Program, Ref
from hil.errors import UserError

_COMMENT = re.compile(r";.*$|#(?!(?<=\w#)\d).*$")
_LABEL = re.compile(r"^([A-Za-z_]\w*)(\(\))?:\s*")
_INDEX = re.compile(r"^\d+:\s*")
_CODE = re.compile(r"^\(([0-9a-f]{2})\)\s*")
_TARGET = re.compile(r"(?:\bgotol?|^call) (?!pc[+-])(?P<label>[A-Za-z_]\w*)$")
_MAP = re.compile(r"^(r\d+ = )map ([\w.-]+)$")
_CALL = re.compile(r"^call (?P<name>[A-Za-z_]\w*)#(?P<number>\d{1,10})$")
_LINES = 1 << 14
"""The lines that are kept for the same instruction in other programs: those made at random begin and end alike."""
_MOST_HELPERS = 1000
"""A bound on helpers' numbers that no release reaches; greater numbers after a name are types of the running kernel's
functions."""


def disassemble(program: Program | Sequence[Instruction]) -> str:
    """Returns one line for each instruction, `(b7) r0 = 0`; raises UserError naming the first one that has no meaning.

    A 64 bit constant takes one line though it takes two instructions. A function begins with a line of its own.
    """
    whole = _whole(program)
    names = {index: f"{name}():\n" for index, name in whole.functions}
    return "".join(f"{names.get(index, '')}{line}\n" for index, line in _lines(whole, _opcode))


def listing(program: Program | Sequence[Instruction]) -> tuple[tuple[int, str], ...]:
    """Returns the index and line of each instruction, also of one without meaning, which is shown by its fields in
    braces."""
    return tuple(_lines(_whole(program), _opcode_if_any))


def shown(program: Sequence[Instruction], index: int) -> str:
    """Returns the line of one instruction, as `listing` has it."""
    _, line = next(_lines(Program(tuple(program[index : index + 2])), _opcode_if_any))
    return line


def assemble(text: str) -> Program:
    """Returns the program in `text`; raises UserError naming the line that is no instruction."""
    instructions: list[Instruction] = []
    maps: list[tuple[int, Ref]] = []
    functions: list[tuple[int, str]] = []
    labels: dict[str, int] = {}
    pending: list[tuple[int, str, int]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).strip()
        while match := _LABEL.match(line):
            if match[1] in labels:
                raise UserError(f"line {number}: label {match[1]} is defined twice")
            labels[match[1]] = len(instructions)
            if match[2]:
                functions.append((len(instructions), match[1]))
            line = line[match.end() :]
        line = _INDEX.sub("", line)
        if not line:
            continue
        code = _CODE.match(line)
        line = line[code.end() :] if code else line
        if target := _TARGET.search(line):
            pending.append((len(instructions), target["label"], number))
            line = line[: target.start("label")] + "pc+0"
        if named := _MAP.match(line):
            maps.append((len(instructions), Ref(named[2])))
            line = f"{named[1]}map_fd 0"
        try:
            instructions += _instructions(_without_name(line), int(code[1], 16) if code else None)
        except UserError as error:
            raise UserError(f"line {number}: {error.what}", remedy=error.remedy) from None
    for index, name, number in pending:
        if name not in labels:
            raise UserError(f"line {number}: label {name} is not defined")
        instructions[index] = aim(instructions[index], labels[name] - index - 1)
    return Program(tuple(instructions), tuple(maps), tuple(functions))


def _without_name(line: str) -> str:
    """Returns a call of a helper by its number alone; raises UserError when name and number are not of one helper."""
    match = _CALL.match(line)
    if match is None:
        return line
    name, number = match["name"], int(match["number"])
    if number >= _MOST_HELPERS:
        remedy = f"write `call kernel-function {number}`"
        raise UserError(f"`{line}` calls a function of the running kernel", remedy=remedy)
    named = {f"bpf_{helper.name.lower()}": helper.value for helper in Helper}
    if named.get(name, number) != number or (number in named.values() and name not in (*named, "unknown")):
        raise UserError(f"`{line}`: helper {number} has another name", remedy=f"write `call {number}`")
    return f"call {number}"


def _whole(program: Program | Sequence[Instruction]) -> Program:
    return program if isinstance(program, Program) else Program(tuple(program))


def _lines(
    program: Program, opcode_at: Callable[[Sequence[Instruction], int], Opcode | None]
) -> Iterator[tuple[int, str]]:
    maps: Mapping[int, Ref] = dict(program.maps)
    index = 0
    while index < len(program.instructions):
        one, opcode = program.instructions[index], opcode_at(program.instructions, index)
        if opcode is None:
            yield index, _without_meaning(one)
            index += 1
            continue
        second = program.instructions[index + 1].imm if is_wide(opcode) else 0
        line = _line(opcode, one, second)
        if index in maps:
            line = re.sub(r"map_fd -?\d+", f"map {maps[index].name}", line)
        yield index, line
        index += 2 if is_wide(opcode) else 1


@lru_cache(maxsize=_LINES)
def _line(opcode: Opcode, one: Instruction, second: int) -> str:
    """Returns the line of an instruction; `second` is the upper half of a 64 bit constant."""
    # Numbers, of which True is another one than 1 when it is written: equal arguments have one line.
    fields = {"dst": int(one.dst), "src": int(one.src), "off": int(one.off), "imm": int(one.imm), "next": int(second)}
    return f"({opcode.code:02x}) {render(opcode, fields)}"


def _without_meaning(one: Instruction) -> str:
    return f"({one.code:02x}) {{dst={one.dst}, src={one.src}, off={one.off}, imm={one.imm}}}"


def _opcode_if_any(program: Sequence[Instruction], index: int) -> Opcode | None:
    try:
        return _opcode(program, index)
    except UserError:
        return None


def _instructions(line: str, expected: int | None) -> list[Instruction]:
    opcode, fields = parse(line)
    if expected is not None and expected != opcode.code:
        raise UserError(f"`{line}` is opcode {opcode.code:02x}, not {expected:02x}")
    first = Instruction(opcode.code, fields["dst"], fields["src"], fields["off"], fields["imm"])
    if find(first) is not opcode:
        raise UserError(f"`{line}` reads as another opcode", remedy="its fields in braces select one")
    return [first, Instruction(0, imm=fields["next"])] if is_wide(opcode) else [first]


def _opcode(program: Sequence[Instruction], index: int) -> Opcode:
    instruction = program[index]
    opcode = find(instruction)
    if opcode is None:
        raise UserError(f"instruction {index} has no meaning: {_without_meaning(instruction)}")
    if is_wide(opcode):
        second = program[index + 1] if index + 1 < len(program) else None
        if second is None or (second.code, second.dst, second.src, second.off) != (0, 0, 0, 0):
            raise UserError(f"instruction {index} is a 64 bit constant without a proper second half")
    return opcode
