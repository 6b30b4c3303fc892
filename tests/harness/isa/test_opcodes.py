# SPDX-License-Identifier: MIT
"""The fields of an opcode: copies keep them, and nobody takes them from `code` by hand. Their numbers are held against
the kernel's headers by `tests/harness/abi`."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import replace
from pathlib import Path

import harness
from harness.isa.instruction import Instruction, decode
from harness.isa.opcodes import Alu, Class, Jump, Mode, Size, Source

ADD = Instruction(Class.ALU64 | Alu.ADD | Source.X, 1, 2)


def fields(insn: Instruction) -> tuple[Class, Source, int, Size, int]:
    return insn.opcode_class, insn.source, insn.operation, insn.size, insn.mode


def test_fields_are_those_of_the_byte() -> None:
    assert (ADD.opcode_class, ADD.operation, ADD.source) == (Class.ALU64, Alu.ADD, Source.X)
    load = Instruction(Class.LDX | Mode.MEM | Size.H)
    assert (load.opcode_class, load.mode, load.size, load.size.nbytes) == (Class.LDX, Mode.MEM, Size.H, 2)
    assert Instruction(Class.JMP32 | 0xF0).operation == 0xF0, "no name, yet an operation"


def test_changed_and_copied_instructions_have_their_fields() -> None:
    changed = replace(ADD, code=Class.JMP | Jump.EXIT)
    assert (changed.opcode_class, changed.operation) == (Class.JMP, Jump.EXIT)
    for same in (copy.deepcopy(ADD), pickle.loads(pickle.dumps(ADD)), *decode(ADD.encode())):
        assert same == ADD
        assert fields(same) == fields(ADD)


def test_fields_are_no_part_of_what_an_instruction_is() -> None:
    assert repr(ADD) == "Instruction(code=15, dst=1, src=2, off=0, imm=0)"
    assert hash(ADD) == hash(replace(ADD))


def test_nobody_masks_the_byte_by_hand() -> None:
    root = Path(harness.__file__).parent
    places = (*root.rglob("*.py"), *Path(__file__).parents[1].rglob("*.py"))
    by_hand = re.compile(r"\w+\.code (?:&|>>) ")
    masked = [str(place) for place in places if by_hand.search(place.read_text()) and place != root / "isa/opcodes.py"]
    assert not masked, "ask for opcode_class, operation, source, size or mode"
