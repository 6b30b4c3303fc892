# SPDX-License-Identifier: MIT
"""The verifier's log: text, and holes where the model cannot know it.

Source: verbose() and print_verifier_state(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Hole:
    """A part of the log that cannot be predicted: `why`, the `pattern` it follows, and its length between `least` and
    `most`."""

    why: str
    pattern: str
    least: int
    most: int


ADDRESS_HALF = Hole("half of a map's address", "[0-9a-f]{1,8}", 1, 8)
BEYOND_TABLE = Hole("whatever lies behind a table of names", "[^\n]*", 0, 1 << 24)
"""The result of print_bpf_insn() of 4.1, which prints unknown operators by reading past the end of a table of
strings."""
UNINITIALISED = Hole("one byte of an uninitialised buffer", ".?", 0, 1)
"""The content of a log without any text: bpf_check() copies `log_len + 1` bytes of a buffer that was not cleared."""

DESCRIPTOR_NUMBER = Hole("a descriptor", "-?[0-9]+", 1, 11)

Text = str | Hole


@dataclass(frozen=True)
class Log:
    """Pieces of text and holes, in order. `limit` is how many characters the buffer held, None when all of them."""

    pieces: tuple[Text, ...]
    limit: int | None = None

    def __str__(self) -> str:
        text = "".join(piece if isinstance(piece, str) else f"<{piece.why}>" for piece in self.pieces)
        return text[: self.limit]

    @property
    def lines(self) -> list[str]:
        """Returns the lines without their ends; a hole stands in angle brackets."""
        return str(self).splitlines()

    @property
    def text(self) -> str | None:
        """Returns the text when all of it is known, else None."""
        return str(self) if all(isinstance(piece, str) for piece in self.pieces) else None

    @property
    def length(self) -> tuple[int, int]:
        """Returns the least and the greatest number of characters that the whole text can have."""
        least = sum(len(piece) if isinstance(piece, str) else piece.least for piece in self.pieces)
        most = sum(len(piece) if isinstance(piece, str) else piece.most for piece in self.pieces)
        return least, most

    def admits(self, observed: str) -> bool:
        """Returns whether the kernel may have written `observed`."""
        if self.limit is None:
            ends = {0}
            for piece in self.pieces:  # not one pattern, for to compile so long a one takes more than everything else
                ends = set(_ends(piece, observed, ends))
            return len(observed) in ends
        return len(observed) == self.limit and self._begins_with(observed)

    def _begins_with(self, observed: str) -> bool:
        position = 0
        for piece in self.pieces:
            rest = observed[position:]
            if isinstance(piece, str):
                if not rest.startswith(piece[: len(rest)]):
                    return False
                position += len(piece)
            elif rest:
                match = re.match(piece.pattern, rest)
                if match is None:
                    return False
                position += match.end()
        return True


def _ends(piece: Text, observed: str, begins: Iterable[int]) -> Iterator[int]:
    """Yields where the piece may end in what was observed, when it begins at one of these places."""
    for begin in begins:
        if isinstance(piece, str):
            if observed.startswith(piece, begin):
                yield begin + len(piece)
            continue
        pattern = re.compile(piece.pattern, re.DOTALL)
        if longest := pattern.match(observed, begin):
            for end in range(begin + piece.least, longest.end() + 1):
                if pattern.fullmatch(observed, begin, end):
                    yield end


class Writer:
    """Collects a log."""

    def __init__(self) -> None:
        self._pieces: list[Text] = []

    def write(self, *pieces: Text) -> None:
        """verbose()"""
        self._pieces.extend(pieces)

    def log(self) -> Log:
        """Returns what was written so far."""
        joined: list[Text] = []
        for kind, pieces in groupby(self._pieces, key=type):
            run = list(pieces)
            joined += ["".join(map(str, run))] if kind is str else run
        return Log(tuple(joined) or (UNINITIALISED,))
