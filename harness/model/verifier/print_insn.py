# SPDX-License-Identifier: MIT
"""An instruction as the log of 4.1 shows it: print_bpf_insn(), kernel/bpf/verifier.c.

This is what the kernel prints, for any eight bytes at all, also where it loses something; the notation that loses
nothing is in `harness.isa.text`.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump, Mode, Source
from harness.model.verifier.log import ADDRESS_HALF, BEYOND_TABLE, Text

_ALU = ("+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>=", "endian")
_JUMP = ("jmp", "==", ">", ">=", "&", "!=", "s>", "s>=", "call", "exit")


def print_insn(insn: Instruction, *, address: bool = False) -> tuple[Text, ...]:
    """Returns the line, without its index and with its end. `address` says that `imm` was replaced by half of an
    address."""
    text: tuple[Text, ...]
    match insn.opcode_class:
        case Class.ALU | Class.ALU64:
            text = _alu(insn)
        case Class.JMP:
            text = _jump(insn)
        case Class.LD:
            text = _ld(insn, address)
        case Class.JMP32:
            text = ("BUG",)
        case _:
            text = (_memory(insn),)
    if isinstance(text[0], str) and text[0].startswith("BUG_"):
        return (*text, "\n")
    return (f"({insn.code:02x}) ", *text, "\n")


def _alu(insn: Instruction) -> tuple[Text, ...]:
    cast = "(u32) " if insn.opcode_class == Class.ALU else ""
    operand = f"r{insn.src}" if insn.source == Source.X else str(insn.imm)
    return f"{cast}r{insn.dst} ", _name(_ALU, insn.operation >> 4), f" {cast}{operand}"


def _jump(insn: Instruction) -> tuple[Text, ...]:
    operation = insn.operation
    if operation == Jump.CALL:
        return (f"call {insn.imm}",)
    if insn.code == Class.JMP | Jump.JA:
        return (f"goto pc{insn.off:+d}",)
    if insn.code == Class.JMP | Jump.EXIT:
        return ("exit",)
    operand = f"r{insn.src}" if insn.source == Source.X else f"{insn.imm & 0xFFFFFFFF:#x}"
    return f"if r{insn.dst} ", _name(_JUMP, insn.operation >> 4), f" {operand} goto pc{insn.off:+d}"


def _ld(insn: Instruction, address: bool) -> tuple[Text, ...]:
    match insn.mode:
        case Mode.ABS:
            return (f"r0 = *({insn.size.type} *)skb[{insn.imm}]",)
        case Mode.IND:
            return (f"r0 = *({insn.size.type} *)skb[r{insn.src} + {insn.imm}]",)
        case Mode.IMM:
            return f"r{insn.dst} = 0x", ADDRESS_HALF if address else f"{insn.imm & 0xFFFFFFFF:x}"
        case _:
            return (f"BUG_ld_{insn.code:02x}",)


def _memory(insn: Instruction) -> str:
    mode, kind = insn.mode, insn.opcode_class
    place = f"*({insn.size.type} *)(r{insn.src if kind == Class.LDX else insn.dst} {insn.off:+d})"
    if mode == Mode.MEM:
        match kind:
            case Class.LDX:
                return f"r{insn.dst} = {place}"
            case Class.ST:
                return f"{place} = {insn.imm}"
            case _:
                return f"{place} = r{insn.src}"
    if kind == Class.STX:
        return f"lock {place} += r{insn.src}" if mode == Mode.ATOMIC else f"BUG_{insn.code:02x}"
    return f"BUG_{'st' if kind == Class.ST else 'ldx'}_{insn.code:02x}"


def _name(table: tuple[str, ...], index: int) -> Text:
    return table[index] if index < len(table) else BEYOND_TABLE
