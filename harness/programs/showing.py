# SPDX-License-Identifier: MIT
"""Values, steps and maps of a run as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from harness.isa.text import disassemble
from harness.model.interpreter import Step
from harness.model.maps import Map
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import Pointer, Value
from harness.model.verifier.later.fields import first_halves
from harness.script.operations import Program
from harness.script.outcome import Bytes


def numbered(program: Program) -> dict[int, str]:
    """Returns the lines of the disassembly by the index of their instruction; raises UserError as `disassemble`."""
    lines = disassemble(program).splitlines()
    return {index: line for (index, _), line in zip(first_halves(program.instructions), lines, strict=True)}


def value(of: Value) -> str:
    """Returns `0x2a`, `the memory+8`, or in angle brackets why it is not known."""
    if isinstance(of, int):
        return hex(of)
    if isinstance(of, Pointer):
        return f"{of.region.name}{of.offset:+d}"
    return f"<{of.partial().why}>"


def content(region: Region) -> str:
    """Returns the bytes in hexadecimal; a run of unknown ones in angle brackets."""
    known = region.prediction()
    if isinstance(known, bytes):
        return known.hex()
    return _pieces(known)


def _pieces(of: Bytes) -> str:
    text, position = "", 0
    for piece in of.unknown:
        text += f"{of.content[position : piece.offset].hex()}<{piece.size} bytes: {piece.value.why}>"
        position = piece.offset + piece.size
    return text + of.content[position:].hex()


def maps(of: Mapping[str, Map]) -> Iterator[str]:
    """Yields one line for each element that was stored into; elements of arrays that are still zero are left out."""
    for name, map in of.items():
        try:
            for key, region in map.stored():
                if (text := content(region)).strip("0"):
                    yield f"{name}[{key.hex()}] = {text}"
        except Unpredictable as unpredictable:
            yield f"{name}: unknown, because {unpredictable.why}"


def tracer(program: Program, write: Callable[[str], object]) -> Callable[[Step], None]:
    """Returns a sink that writes a line for each instruction: its index, its text, and the registers it changed."""
    lines = numbered(program)

    def write_step(step: Step) -> None:
        changed = ", ".join(
            f"r{number} = {value(after)}"
            for number, (before, after) in enumerate(zip(step.before, step.after, strict=True))
            if before is not after and not _same(before, after)
        )
        write(f"{step.pc:4}: {lines[step.pc]:40} {changed}".rstrip())

    return write_step


def _same(before: Value, after: Value) -> bool:
    return isinstance(before, int) and isinstance(after, int) and before == after
