# SPDX-License-Identifier: MIT
"""gdb's own unwinding: exact where debug information describes the frames, heuristic elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from hil.gdb.frame import Frame
from hil.gdb.unwind.stopped import Stopped, Symbols


class Debugger:
    """Takes the addresses from gdb, but names and offsets from our table, so that all methods print alike."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols

    def frames(self, cpu: Stopped) -> Iterator[Frame]:
        for level, frame in enumerate(cpu.backtrace()):
            yield self._symbols.frame(frame.address, returns=level > 0)
