# SPDX-License-Identifier: MIT
"""One call of the plugin, and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from harness.isa.instruction import encode
from harness.programs import hexadecimal, source
from harness.programs.source import Format
from harness.script.operations import Program
from hil.errors import HilError, UserError

MOST_MEMORY = 1 << 20
"""The most bytes of memory; the suite's longest is far below."""


@dataclass(frozen=True)
class Request:
    """A program without maps, and the bytes that R1 points to."""

    program: Program
    memory: bytes

    def to_json(self) -> dict[str, str]:
        return {"program": encode(self.program.instructions).hex(), "memory": self.memory.hex()}

    @classmethod
    def from_json(cls, of: dict[str, str]) -> Request:
        return cls(source.from_bytes(bytes.fromhex(of["program"])), bytes.fromhex(of["memory"]))


class ProgramFailed(HilError):
    """The program was refused, or did not return."""

    exit_status = 1


def read(program: str, memory: str, *, elf: bool) -> Request:
    """Returns the request as the contract writes it; raises UserError saying what is wrong with it."""
    content, data = hexadecimal.parse(program, "the program"), hexadecimal.parse(memory, "the memory")
    brought = source.read(content, Format.OBJECT_FILE if elf else Format.BYTES)
    if brought.program.maps:
        raise UserError("the program refers to maps", remedy="the suite's contract has none; use `hil model run`")
    if len(data) > MOST_MEMORY:
        raise UserError(f"a memory of {len(data)} bytes", remedy=f"give at most {MOST_MEMORY}")
    return Request(brought.program, data)
