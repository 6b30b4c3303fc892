"""The orders in which operations of concurrent threads may be carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

from harness.script.operations import Branch, Concurrently, Operation

MOST_ORDERS = 64
"""So many are followed; scripts that leave more open say little in any of them."""


@dataclass(frozen=True)
class Turn:
    """One operation's turn. `index` is that of the script's operation, a `Concurrently` for the operations of threads.

    `thread` is 0 for the script's own, which every script begins in; others have numbers of their own. For a thread's
    operation `place` is which branch it is in, and where in it; `cpu` is where the thread begins.
    """

    index: int
    operation: Operation
    thread: int = 0
    place: tuple[int, int] = (0, 0)
    cpu: int = 0


def orders(operations: Sequence[Operation]) -> list[list[Turn]]:
    """Every order; none when they are too many. In the first one, threads run one after the other.

    The turn of a `Concurrently` itself comes when all its threads have ended.
    """
    count = 1
    for operation in operations:
        if isinstance(operation, Concurrently):
            count *= _count([len(branch.operations) for branch in operation.branches])
    return list(_orders(operations, 0, 1)) if count <= MOST_ORDERS else []


def _count(lengths: Sequence[int]) -> int:
    """The multinomial coefficient."""
    count, total = 1, 0
    for length in lengths:
        total += length
        count *= comb(total, length)
    return count


def _orders(operations: Sequence[Operation], index: int, thread: int) -> Iterator[list[Turn]]:
    """Those of the operations from `index` on; `thread` is the first number that is free."""
    if index == len(operations):
        yield []
        return
    operation = operations[index]
    branches = operation.branches if isinstance(operation, Concurrently) else ()
    for turns in _interleaved(index, thread, branches, [0] * len(branches)):
        for rest in _orders(operations, index + 1, thread + len(branches)):
            yield [*turns, Turn(index, operation), *rest]


def _interleaved(index: int, thread: int, branches: Sequence[Branch], done: list[int]) -> Iterator[list[Turn]]:
    unfinished = [number for number, branch in enumerate(branches) if done[number] < len(branch.operations)]
    if not unfinished:
        yield []
    for number in unfinished:
        branch, position = branches[number], done[number]
        turn = Turn(index, branch.operations[position], thread + number, (number, position), branch.cpu)
        for rest in _interleaved(index, thread, branches, [*done[:number], position + 1, *done[number + 1 :]]):
            yield [turn, *rest]
