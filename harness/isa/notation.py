# SPDX-License-Identifier: MIT
"""Conversion by an opcode's notation: fields to a line of text, and a line of text to fields.

A notation's placeholders are fields. `{dst}` and `{src}` are register numbers; `{off}` is signed with its sign
(`+112`), as a displacement or a distance in instructions; `{imm}` is decimal, `{imm:x}` hexadecimal without sign as
printf's %x, `{imm:+}` a distance; `{imm64:x}` is both halves of a 64 bit constant, `{next}` the second half alone.
A field that is not in the notation is 0 in a valid program; where it is not 0 it follows in braces: `exit {imm=7}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64
from harness.isa.table import OPCODES, Opcode
from hil.errors import UserError

_PLACEHOLDER = re.compile(r"\{(\w+)(?::([x+]))?\}")
_NUMBER = r"[+-]?(?:0x[0-9a-fA-F]+|[0-9]+)"
_EXTRA = re.compile(r"^(?P<line>.*?)\s*\{(?P<extra>[^{}]*)\}$")
_BITS = {"dst": (4, False), "src": (4, False), "off": (16, True), "imm": (32, True), "next": (32, True)}

Fields = dict[str, int]
"""The values of dst, src, off, imm and next (the second half's imm); absent is 0."""


def render(opcode: Opcode, fields: Mapping[str, int]) -> str:
    """Returns the line for an instruction of this opcode."""

    def substitute(match: re.Match[str]) -> str:
        name, style = match.groups()
        if name == "imm64":
            return f"{_unsigned(fields['next'], 32) << 32 | _unsigned(fields['imm'], 32):#x}"
        value = fields[name]
        if style == "x":
            return f"{_unsigned(value, 32):#x}"
        return f"{value:+d}" if style == "+" or name == "off" else str(value)

    line = _PLACEHOLDER.sub(substitute, opcode.notation)
    hidden = [f"{name}={fields[name]}" for name in _hidden(opcode) if fields.get(name, 0)]
    return f"{line} {{{', '.join(hidden)}}}" if hidden else line


def parse(line: str) -> tuple[Opcode, Fields]:
    """Returns the opcode that a line is written as, and its fields; raises UserError when there is none, or a number
    does not fit."""
    extra = ""
    if match := _EXTRA.match(line):
        line, extra = match["line"], match["extra"]
    for opcode in OPCODES:
        found = _pattern(opcode).fullmatch(line)
        if found:
            fields = dict.fromkeys(_BITS, 0)
            fields.update(_numbers(found.groupdict()))
            if opcode.selector:
                fields[opcode.selector] = opcode.value
            fields.update(_extra(opcode, extra))
            return opcode, fields
    raise UserError(
        f"`{line}` is no instruction", remedy="write it as the verifier's log does, `r1 = *(u64 *)(r10 -8)`"
    )


def hidden_fields(opcode: Opcode, instruction: Instruction) -> tuple[str, ...]:
    """Returns the fields of one slot that are not 0 and that the notation of the instruction's opcode does not show."""
    return tuple([name for name in _hidden_in_slot(opcode) if getattr(instruction, name)])


def is_wide(opcode: Opcode) -> bool:
    """Returns whether the instruction takes two slots."""
    return opcode.code == LD_IMM64


@cache
def _pattern(opcode: Opcode) -> re.Pattern[str]:
    parts, position, seen = [], 0, set()
    for match in _PLACEHOLDER.finditer(opcode.notation):
        parts.append(re.escape(opcode.notation[position : match.start()]))
        name = match[1]
        number = "[0-9]+" if name in ("dst", "src") else _NUMBER
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{number})")
        seen.add(name)
        position = match.end()
    parts.append(re.escape(opcode.notation[position:]))
    return re.compile("".join(parts).replace(r"\ ", r"\s+"))


@cache
def _hidden(opcode: Opcode) -> tuple[str, ...]:
    shown = {match[1] for match in _PLACEHOLDER.finditer(opcode.notation)} | {opcode.selector}
    if "imm64" in shown:
        shown |= {"imm", "next"}
    candidates = _BITS if is_wide(opcode) else [name for name in _BITS if name != "next"]
    return tuple(name for name in candidates if name not in shown)


@cache
def _hidden_in_slot(opcode: Opcode) -> tuple[str, ...]:
    return tuple(name for name in _hidden(opcode) if name != "next")


def _numbers(written: Mapping[str, str]) -> Fields:
    fields: Fields = {}
    for name, text in written.items():
        if name == "imm64":
            value = _fit(name, text, 64, signed=True) & (1 << 64) - 1
            fields["imm"], fields["next"] = _signed(value, 32), _signed(value >> 32, 32)
        else:
            bits, signed = _BITS[name]
            fields[name] = _fit(name, text, bits, signed=signed)
    return fields


def _extra(opcode: Opcode, text: str) -> Fields:
    if not text:
        return {}
    written = dict(part.strip().partition("=")[::2] for part in text.split(","))
    for name, number in written.items():
        if name not in _hidden(opcode) or not re.fullmatch(_NUMBER, number):
            raise UserError(f"`{{{text}}}` behind {opcode.name}", remedy=f"fields there: {', '.join(_hidden(opcode))}")
    return _numbers(written)


def _fit(name: str, text: str, bits: int, *, signed: bool) -> int:
    """Returns the number `text`; hexadecimal without sign may use the field's top bit, as %x prints it."""
    value = int(text, 0) if "x" in text.lower() else int(text)
    if signed and text.lower().startswith("0x") and value >> (bits - 1) == 1:
        return value - (1 << bits)
    if not (-(1 << bits - 1) <= value < 1 << bits - 1 if signed else 0 <= value < 1 << bits):
        raise UserError(f"{name} {text} does not fit into {bits} bits")
    return value


def _unsigned(value: int, bits: int) -> int:
    return value & (1 << bits) - 1


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value
