# SPDX-License-Identifier: MIT
"""Names for the frames of `backtrace`: of code that gdb has no symbols for, and of functions that were interrupted at
their first instruction, where gdb names the function before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import gdb
from gdb.FrameDecorator import FrameDecorator

from harness.debug.inside.guest import M64
from harness.debug.inside.session import Session
from harness.debug.inside.unwinding import KernelUnwinder

if TYPE_CHECKING:
    from gdb.FrameDecorator import DAPFrameDecorator  # gdb 14

    Decorated = FrameDecorator | DAPFrameDecorator


class Names:
    """A filter of frames, as gdb calls it: https://sourceware.org/gdb/current/onlinedocs/gdb.html/Frame-Filter-API.html"""

    name = "hil"
    priority = 100
    enabled = True

    def __init__(self, session: Session, unwinder: KernelUnwinder | None) -> None:
        self._session = session
        self._unwinder = unwinder
        gdb.frame_filters[self.name] = self

    def filter(self, iterator: Iterator[Decorated]) -> Iterator[Decorated]:
        """Yields the frames up to where the kernel was entered."""
        for one in iterator:
            pc = one.inferior_frame().pc()
            if pc:
                yield _Named(one, self._name(one.inferior_frame(), pc))

    def _name(self, frame: gdb.Frame, pc: int) -> str | None:
        for loaded in reversed(self._session.loaded):
            if indexes := loaded.within(pc - (frame.level() > 0)):
                return f"{loaded.data.name}[{indexes[-1]}]"
        if self._unwinder is None:
            return None
        sp = int(frame.read_register(self._session.machine.sp)) & M64
        return None if frame.function() else self._unwinder.function(pc, sp)


class _Named(FrameDecorator):
    def __init__(self, base: Decorated, name: str | None) -> None:
        super().__init__(base)  # type: ignore[arg-type]  # any decorator will do
        self._name = name

    def function(self) -> str | None:
        return self._name or super().function()
