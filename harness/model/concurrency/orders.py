# SPDX-License-Identifier: MIT
"""The orders in which operations of concurrent threads may be carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from math import comb

from harness.script.operations import Operation, RunThreads, Thread

MOST_ORDERS = 64
"""The highest number of orders that are followed; of scripts with more, little would be the same in all orders."""


@dataclass(frozen=True)
class Turn:
    """The turn of one operation. `index` is that of the script's operation, a `RunThreads` for the operations of
    threads.

    `thread` is 0 for the thread that every script begins in; other threads have numbers of their own. For a thread's
    operation, `place` is the index of its branch and the index in that branch; `cpu` is where the thread begins.
    """

    index: int
    operation: Operation
    thread: int = 0
    place: tuple[int, int] = (0, 0)
    cpu: int = 0


def orders(operations: Sequence[Operation]) -> list[list[Turn]]:
    """Returns every order, or none when there are too many. In the first one, threads run one after the other.

    The turn of a `RunThreads` itself comes when all its threads have ended.
    """
    if not any(isinstance(operation, RunThreads) for operation in operations):
        return [list(starmap(Turn, enumerate(operations)))]
    count = 1
    for operation in operations:
        if isinstance(operation, RunThreads):
            count *= _count([len(thread.operations) for thread in operation.threads])
    return list(_orders(operations, 0, 1)) if count <= MOST_ORDERS else []


def _count(lengths: Sequence[int]) -> int:
    """Returns the multinomial coefficient."""
    count, total = 1, 0
    for length in lengths:
        total += length
        count *= comb(total, length)
    return count


def _orders(operations: Sequence[Operation], index: int, free: int) -> Iterator[list[Turn]]:
    """Yields the orders of the operations from `index` on; `free` is the lowest unused thread number."""
    if index == len(operations):
        yield []
        return
    operation = operations[index]
    threads = operation.threads if isinstance(operation, RunThreads) else ()
    for turns in _interleaved(index, free, threads, [0] * len(threads)):
        for rest in _orders(operations, index + 1, free + len(threads)):
            yield [*turns, Turn(index, operation), *rest]


def _interleaved(index: int, free: int, threads: Sequence[Thread], done: list[int]) -> Iterator[list[Turn]]:
    unfinished = [number for number, thread in enumerate(threads) if done[number] < len(thread.operations)]
    if not unfinished:
        yield []
    for number in unfinished:
        thread, position = threads[number], done[number]
        turn = Turn(index, thread.operations[position], free + number, (number, position), thread.cpu)
        for rest in _interleaved(index, free, threads, [*done[:number], position + 1, *done[number + 1 :]]):
            yield [turn, *rest]
