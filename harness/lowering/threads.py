# SPDX-License-Identifier: MIT
"""Threads of the script's process, and the CPU they run on."""

from __future__ import annotations

import struct
from collections.abc import Callable

from harness.abi.numbers import EFD_CLOEXEC, EFD_SEMAPHORE
from harness.lowering.context import Lowering, Reader, first_failure, returned
from harness.script.operations import Operation, Pin, RunThreads, Trigger
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult
from hil.agent.steps import Address, Result

Carry = Callable[[Lowering, Operation], Reader]
"""Lowers one operation."""


def pin(lowering: Lowering, operation: Pin) -> Reader:
    return returned(lowering.builder.pin(operation.cpu))


def run_threads(lowering: Lowering, operation: RunThreads, carry: Carry) -> Reader:
    """Starts the threads: each reports that it is on its CPU, then all are released at once: two semaphores of
    eventfd(2)."""
    if any(isinstance(inner, Trigger) for thread in operation.threads for inner in thread.operations):
        lowering.null_device()  # opened by one thread, it would not be there for another
    ready, go = (lowering.call("eventfd2", 0, EFD_CLOEXEC | EFD_SEMAPHORE) for _ in range(2))
    room = lowering.builder.alloc(8)
    pinned: list[Result] = []
    readers: list[tuple[Reader, ...]] = []
    threads = []
    for thread in operation.threads:
        with lowering.builder.thread() as started:
            pinned.append(lowering.builder.pin(thread.cpu))
            lowering.call("write", ready, _count(lowering, 1), 8)
            lowering.call("read", go, lowering.builder.alloc(8), 8)
            readers.append(tuple(carry(lowering, inner) for inner in thread.operations))
        threads.append(started)
    for started in threads:
        with lowering.builder.unless_failed(started):
            lowering.call("read", ready, room, 8)
    lowering.call("write", go, _count(lowering, len(threads)), 8)
    joined = [lowering.builder.join(started) for started in threads]
    for semaphore in (ready, go):
        lowering.call("close", semaphore)

    def read(results: BatchResult) -> Outcome:
        began = first_failure([ready, go, *threads, *joined, *pinned], value=0)(results)
        if began.errno:
            return began
        return Outcome(value=0, threads=tuple(tuple(inner(results) for inner in thread) for thread in readers))

    return read


def _count(lowering: Lowering, number: int) -> Address:
    return lowering.builder.alloc(struct.pack("<Q", number))
