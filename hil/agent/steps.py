# SPDX-License-Identifier: MIT
"""The requests to the agent: operands, steps and batches, as plain data.

Nothing here checks or encodes; `hil.agent.wire` does. `guest/WIRE.md` gives the exact meaning of each step.
"""

from __future__ import annotations

from dataclasses import dataclass

# What one batch may hold; the agent refuses more (guest/wire.h).
MAX_STEPS = 65535
MAX_ARENA = 64 << 20
MAX_ANSWER = 64 << 20
MAX_FRAME = 64 << 20
MAX_DEADLINE = 3600.0
MAX_ARGUMENTS = 6
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Immediate:
    """This number, modulo 2**64."""

    value: int


@dataclass(frozen=True, slots=True)
class Address:
    """The address `offset` bytes into the arena. A page follows that faults at any access."""

    offset: int

    def __add__(self, distance: int) -> Address:
        return Address(self.offset + distance)


@dataclass(frozen=True, slots=True)
class Result:
    """The return value of an earlier step; -ECANCELED when that step was skipped or has not run."""

    step: int


@dataclass(frozen=True, slots=True)
class Value:
    """The unsigned number of `width` bytes (1, 2, 4, 8) that is in the arena at `offset` when the step begins."""

    offset: int
    width: int


Operand = Immediate | Address | Result | Value


@dataclass(frozen=True, slots=True)
class Write:
    """Copy `data` to `place`; returns its length."""

    place: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """Store the low `width` bytes (1, 2, 4, 8) of `value` at `address`, with release ordering; returns 0."""

    address: Operand
    width: int
    value: Operand


@dataclass(frozen=True, slots=True)
class Load:
    """Return the unsigned number of `width` bytes (1, 2, 4, 8) at `address`, loaded with acquire ordering."""

    address: Operand
    width: int


@dataclass(frozen=True, slots=True)
class Syscall:
    """Make system call `number`; returns what it returns, -errno when it fails. Missing arguments are 0."""

    number: int
    arguments: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """Send back `length` bytes from `address`, at most `maximum`; returns their number.

    Stops short at memory that cannot be read; -EFAULT when that is the first byte, -EINVAL when `length` is negative.
    """

    address: Operand
    length: Operand
    maximum: int


@dataclass(frozen=True, slots=True)
class Parse:
    """Return the unsigned number that the text at `address` begins with, after white space.

    -EINVAL when there is none, -ERANGE when it takes more than 64 bits, -EFAULT when the text cannot be read.
    Base is 8, 10 or 16; only the first 256 bytes are looked at.
    """

    address: Operand
    length: Operand
    base: int = 10


@dataclass(frozen=True, slots=True)
class Skip:
    """Skip the next `count` steps when `condition` is negative; returns the number of steps skipped."""

    condition: Operand
    count: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run the next `count` steps `times` times; the results are those of the last round. Returns the rounds made."""

    times: int
    count: int


@dataclass(frozen=True, slots=True)
class Thread:
    """Run the next `count` steps in a new thread, concurrently with what follows; returns 0.

    A thread that is not joined ends with its process.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for the end of the thread that step `thread` started; returns 0."""

    thread: int


@dataclass(frozen=True, slots=True)
class Process:
    """Run the next `count` steps in a forked process, which then exits with status 0; returns its process id.

    It has its own copy of the arena; its results can be used after it was waited for (wait4 as a Syscall).
    """

    count: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Pin the calling thread to one CPU; returns 0."""

    cpu: Operand


Step = Write | Store | Load | Syscall | Read | Parse | Skip | Repeat | Thread | Join | Process | Pin


@dataclass(frozen=True, slots=True)
class Batch:
    """Steps that share one process, one arena and one deadline.

    `arena`: bytes of zeroed memory, rounded up to whole pages; `image`: what is put there before the first step;
    `deadline`: seconds, counted from the start of the batch's process.
    """

    steps: tuple[Step, ...]
    arena: int = 0
    image: tuple[Write, ...] = ()
    deadline: float = 10.0
