# SPDX-License-Identifier: MIT
"""Reading files of tracefs and their like as text: seq_file gives no more than a page at a time."""

from __future__ import annotations

from collections.abc import Callable

from harness.abi.numbers import O_RDONLY
from harness.lowering.context import Lowering
from hil.agent.results import BatchResult
from hil.agent.steps import Result

PIECES, PIECE = 4, 4096
"""The bytes of a page, which one read(2) returns at most."""


def read_text(lowering: Lowering, path: str) -> tuple[Result, Callable[[BatchResult], str]]:
    """Adds the steps that read the beginning of a file; returns the result of open(2), and what makes the text of the
    results, a character a byte."""
    opened = lowering.open(path, O_RDONLY)
    pieces = []
    with lowering.builder.unless_failed(opened):
        for _ in range(PIECES):
            room = lowering.builder.alloc(PIECE)
            length = lowering.call("read", opened, room, PIECE)
            pieces.append(lowering.builder.read(room, length, PIECE))
        lowering.call("close", opened)
    return opened, lambda results: b"".join(results.done(piece).data for piece in pieces).decode("latin-1")
