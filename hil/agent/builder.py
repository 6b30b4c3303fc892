# SPDX-License-Identifier: MIT
"""Builds a batch step by step: lays out the arena, counts the steps of each block, returns operands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hil.agent.steps import (
    Address,
    Batch,
    Immediate,
    Join,
    Load,
    Operand,
    Parse,
    Pin,
    Process,
    Read,
    Repeat,
    Result,
    Skip,
    Step,
    Store,
    Syscall,
    Thread,
    Write,
)


class BatchBuilder:
    """Collects the steps of one batch. Wherever an operand is wanted, a plain int is an immediate.

    Every method that adds a step returns the operand that stands for the step's return value.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._image: list[Write] = []
        self._front = 0

    def __len__(self) -> int:
        """The number of steps so far, which is the index of the next one."""
        return len(self._steps)

    # The arena.

    def alloc(self, content: bytes | int, align: int = 8) -> Address:
        """Reserve room in the arena for `content`, or for that many zero bytes; returns its address."""
        self._front = -(-self._front // align) * align
        address = Address(self._front)
        self._front += self._fill(address, content)
        return address

    def _fill(self, place: Address, content: bytes | int) -> int:
        if isinstance(content, int):
            return content
        if content:
            self._image.append(Write(place, bytes(content)))
        return len(content)

    # Single steps.

    def write(self, place: Address, data: bytes) -> Result:
        return self._add(Write(place, bytes(data)))

    def store(self, address: Operand | int, width: int, value: Operand | int) -> Result:
        return self._add(Store(_operand(address), width, _operand(value)))

    def load(self, address: Operand | int, width: int) -> Result:
        return self._add(Load(_operand(address), width))

    def syscall(self, number: int, *arguments: Operand | int) -> Result:
        return self._add(Syscall(number, tuple(_operand(argument) for argument in arguments)))

    def read(self, address: Operand | int, length: Operand | int, maximum: int | None = None) -> Result:
        """Read bytes into the step's `data`; `maximum` may be left out when `length` is a plain int."""
        if maximum is None:
            if not isinstance(length, int):
                raise TypeError("a length that is known only on the target needs a maximum")
            maximum = length
        return self._add(Read(_operand(address), _operand(length), maximum))

    def parse(self, address: Operand | int, length: Operand | int, base: int = 10) -> Result:
        return self._add(Parse(_operand(address), _operand(length), base))

    def join(self, thread: Result) -> Result:
        return self._add(Join(thread.step))

    def pin(self, cpu: Operand | int) -> Result:
        return self._add(Pin(_operand(cpu)))

    # Blocks: the steps added inside `with` are the block's.

    @contextmanager
    def unless_failed(self, condition: Operand) -> Iterator[Result]:
        """Begin a block of steps that are skipped when `condition` is negative."""
        with self._block(lambda count: Skip(condition, count)) as step:
            yield step

    @contextmanager
    def if_failed(self, condition: Operand) -> Iterator[Result]:
        """Begin a block of steps that are carried out only when `condition` is negative.

        The Skip in front of the block is unconditional, and is itself skipped when `condition` is negative.
        """
        self._add(Skip(condition, 1))
        with self._block(lambda count: Skip(Immediate(-1), count)) as step:
            yield step

    @contextmanager
    def repeat(self, times: int) -> Iterator[Result]:
        with self._block(lambda count: Repeat(times, count)) as step:
            yield step

    @contextmanager
    def thread(self) -> Iterator[Result]:
        """Begin a block of steps that run in a new thread; pass the result to `join`."""
        with self._block(Thread) as step:
            yield step

    @contextmanager
    def process(self) -> Iterator[Result]:
        """Begin a block of steps that run in a new process; the result is its process id."""
        with self._block(Process) as step:
            yield step

    def build(self, deadline: float = 10.0) -> Batch:
        """Return the batch; `deadline` is in seconds."""
        return Batch(tuple(self._steps), self._front, tuple(self._image), deadline)

    def _add(self, step: Step) -> Result:
        self._steps.append(step)
        return Result(len(self._steps) - 1)

    @contextmanager
    def _block(self, opener: Callable[[int], Step]) -> Iterator[Result]:
        result = self._add(opener(0))
        yield result
        self._steps[result.step] = opener(len(self._steps) - result.step - 1)


def _operand(value: Operand | int) -> Operand:
    return Immediate(value) if isinstance(value, int) else value
