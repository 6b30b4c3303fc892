# SPDX-License-Identifier: MIT
"""Orders keep what a thread does in its order, and are not made when they are too many."""

from harness.model.concurrency.orders import MOST_ORDERS, orders
from harness.script.operations import Close, Operation, Pin, RunThreads, Thread


def thread(cpu: int, *descriptors: int) -> Thread:
    return Thread(cpu, tuple(Close(descriptor) for descriptor in descriptors))


def closed(*operations: Operation) -> list[list[int]]:
    return [
        [turn.operation.descriptor for turn in order if isinstance(turn.operation, Close)]  # type: ignore[misc]
        for order in orders(operations)
    ]


def test_every_interleaving_is_there_once_and_threads_one_after_the_other_is_the_first() -> None:
    found = closed(Close(0), RunThreads((thread(0, 1, 2), thread(1, 7, 8))), Close(9))
    assert found[0] == [0, 1, 2, 7, 8, 9]
    assert len(found) == 6 == len({tuple(order) for order in found})
    for order in found:
        assert order.index(1) < order.index(2) and order.index(7) < order.index(8)
        assert (order[0], order[-1]) == (0, 9)


def test_a_script_without_threads_has_one_order() -> None:
    assert closed(Close(1), Close(2)) == [[1, 2]]


def test_threads_have_numbers_of_their_own_wherever_they_are_in_the_script() -> None:
    twice = RunThreads((thread(0, 1), thread(1, 2)))
    order = orders((twice, Pin(0), twice))[0]
    assert [turn.thread for turn in order] == [1, 2, 0, 0, 3, 4, 0]
    assert [turn.index for turn in order] == [0, 0, 0, 1, 2, 2, 2]
    assert [turn.cpu for turn in order if turn.thread] == [0, 1, 0, 1]


def test_too_many_orders_are_none() -> None:
    many = RunThreads(tuple(thread(0, number) for number in range(4)))
    assert len(orders((many,))) == 24 <= MOST_ORDERS
    assert orders((many, many)) == []
