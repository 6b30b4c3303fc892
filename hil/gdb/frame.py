# SPDX-License-Identifier: MIT
"""One line of a backtrace."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Frame:
    """One stack frame. `address` is the next instruction in it: the program counter of the innermost frame and of one
    that was interrupted, the return address of the others. `function` is None where no symbol covers the address;
    `offset` is the distance in bytes from the function's start. `sp` and `fp` are the stack pointer and the
    frame pointer there, 0 where the method that found the frame does not know them."""

    address: int
    function: str | None = None
    offset: int = 0
    sp: int = field(default=0, compare=False)
    fp: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.address:#018x} {self.function or '??'}" + (f"+{self.offset:#x}" if self.function else "")
