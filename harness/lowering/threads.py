"""Threads of the script's process, and the CPU they run on."""

from __future__ import annotations

import struct
from collections.abc import Callable

from harness.lowering.context import Lowering, Reader, first_failure, returned
from harness.script.operations import Concurrently, Fire, Operation, Pin
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult
from hil.agent.steps import Address, Result

EFD_CLOEXEC, EFD_SEMAPHORE = 0o2000000, 0o1
Carry = Callable[[Lowering, Operation], Reader]
"""Lowers one operation."""


def pin(lowering: Lowering, operation: Pin) -> Reader:
    return returned(lowering.builder.pin(operation.cpu))


def concurrently(lowering: Lowering, operation: Concurrently, carry: Carry) -> Reader:
    """Every thread says that it is on its CPU, then all are let go at once: two semaphores, as eventfd(2) has them."""
    if any(isinstance(inner, Fire) for branch in operation.branches for inner in branch.operations):
        lowering.null_device()  # opened by one thread, it would not be there for another
    ready, go = (lowering.call("eventfd2", 0, EFD_CLOEXEC | EFD_SEMAPHORE) for _ in range(2))
    room = lowering.builder.alloc(8)
    pinned: list[Result] = []
    readers: list[tuple[Reader, ...]] = []
    threads = []
    for branch in operation.branches:
        with lowering.builder.thread() as thread:
            pinned.append(lowering.builder.pin(branch.cpu))
            lowering.call("write", ready, _count(lowering, 1), 8)
            lowering.call("read", go, lowering.builder.alloc(8), 8)
            readers.append(tuple(carry(lowering, inner) for inner in branch.operations))
        threads.append(thread)
    for thread in threads:
        with lowering.builder.unless_failed(thread):
            lowering.call("read", ready, room, 8)
    lowering.call("write", go, _count(lowering, len(threads)), 8)
    joined = [lowering.builder.join(thread) for thread in threads]
    for semaphore in (ready, go):
        lowering.call("close", semaphore)

    def read(results: BatchResult) -> Outcome:
        began = first_failure([ready, go, *threads, *joined, *pinned], value=0)(results)
        if began.errno:
            return began
        return Outcome(value=0, branches=tuple(tuple(inner(results) for inner in branch) for branch in readers))

    return read


def _count(lowering: Lowering, number: int) -> Address:
    return lowering.builder.alloc(struct.pack("<Q", number))
