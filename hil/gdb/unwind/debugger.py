# SPDX-License-Identifier: MIT
"""gdb's own unwinding: right where debug information describes the frames, guesswork elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from hil.gdb.frame import Frame
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.stopped import Stopped


class Debugger:
    """Takes gdb's word for the addresses; names and offsets are ours, so that all methods print alike."""

    def __init__(self, symbols: SymbolTable) -> None:
        self._symbols = symbols

    def frames(self, cpu: Stopped) -> Iterator[Frame]:
        for level, frame in enumerate(cpu.backtrace()):
            yield self._symbols.frame(frame.address, returns=level > 0)
