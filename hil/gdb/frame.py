# SPDX-License-Identifier: MIT
"""One line of a backtrace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """`address` is where the function goes on: of the innermost frame, and of one that was interrupted, the instruction
    to be carried out next; of the others the return address. `function` is None where no symbol covers it; `offset` is
    the address' distance from the function's start."""

    address: int
    function: str | None = None
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.address:#018x} {self.function or '??'}" + (f"+{self.offset:#x}" if self.function else "")
