# SPDX-License-Identifier: MIT
"""Triggers: the calls that reach the probed function, and what the system call returns.

What `harness.script.triggers` says of a trigger holds for the arguments checked here; others fail earlier, are cut, or
do things the model does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.model.errno import Errno
from harness.model.interface.hits import Call, first_of, hit, open_hits, probes_of
from harness.model.interface.kernel import Kernel
from harness.model.unpredictable import Ran, Settled, Unpredictable
from harness.model.value import M32, M64
from harness.script.operations import Buffer, Trigger, Untouched
from harness.script.outcome import Outcome
from harness.script.reason import Gap
from harness.script.triggers import TRIGGERS, From

Chosen = int | Buffer | Untouched
MOST_BYTES = 0x7FFFF000
"""MAX_RW_COUNT, include/linux/fs.h: what read(2) and write(2) cut a count to."""
LEAST_UNKNOWN_PRCTL = 0x7FFF0000
MOST_PIDS = 1 << 22
LAST_WHENCE = 4
"""SEEK_HOLE; lseek(2) itself refuses greater values."""
MOST_USER = 1 << 46
MOST_HITS = 1 << 16
"""The most hits of one operation that the model carries out: seconds for a small program. Scripts use dozens."""


@dataclass(frozen=True)
class Reached:
    """A call: whether the function is reached, with which arguments, and what the system call returns then."""

    arguments: tuple[Chosen, ...]
    errno: str | None = None
    """The result of a call that fails before it gets there."""


def trigger(kernel: Kernel, operation: Trigger) -> Outcome:
    trigger = TRIGGERS[operation.trigger]
    if From.NULL_DEVICE in trigger.call:
        kernel.names.open_null_device()
    reached = _ON_THE_WAY[trigger.system_call](operation.arguments)
    if reached.errno:
        raise Errno(reached.errno)
    operation = replace(operation, arguments=reached.arguments)
    call = Call(trigger, operation)
    times = operation.times if probes_of(kernel, trigger.symbol) else 1  # nothing is there that could add up
    if times > MOST_HITS:
        why = f"the effect of more than {MOST_HITS} hits, which the model would carry out one by one"
        open_hits(kernel, trigger.symbol, why)
        raise Settled(why)
    settled = None
    for _ in range(times):
        try:
            hit(kernel, trigger.symbol, call)
        except Settled as one:
            settled = first_of(settled, one)
    if settled and not isinstance(settled, Ran):  # what programs do to maps is nothing to the system call
        raise settled
    if trigger.errno:
        raise Errno(trigger.errno)
    result = trigger.result if isinstance(trigger.result, int) else call.value(trigger.result)
    if not isinstance(result, int):
        raise Settled("the result depends on an address")
    return Outcome(value=result)


def _prctl(arguments: tuple[Chosen, ...]) -> Reached:
    option = _number(arguments, 0) & M32
    if option < LEAST_UNKNOWN_PRCTL:
        raise Unpredictable(f"what prctl(2) does with option {option:#x}", Gap.INPUT)
    return Reached(arguments)


def _lseek(arguments: tuple[Chosen, ...]) -> Reached:
    return Reached(arguments, "EINVAL" if _number(arguments, 1) & M32 > LAST_WHENCE else None)


def _transfer(arguments: tuple[Chosen, ...]) -> Reached:
    """read(2), write(2): the buffer must be in user space; the count is not negative, and is cut."""
    count = _number(arguments, 1) & M64
    buffer = arguments[0] if arguments else 0
    if isinstance(buffer, int):
        address = buffer & M64
        if address >> 63:
            return Reached(arguments, "EFAULT")
        if address + count > MOST_USER:
            raise Unpredictable("whether the buffer ends in user space")
    elif count > MOST_USER:
        return Reached(arguments, "EFAULT")
    return Reached((buffer, min(count, MOST_BYTES)))


def _transfer_at(arguments: tuple[Chosen, ...]) -> Reached:
    """pwrite64(2): a position is not negative."""
    position = _number(arguments, 2) & M64
    if position >> 63:
        return Reached(arguments, "EINVAL")
    reached = _transfer(arguments)
    return replace(reached, arguments=(*reached.arguments[:2], position))


def _getpgid(arguments: tuple[Chosen, ...]) -> Reached:
    pid = _number(arguments, 0) & M32
    if pid <= MOST_PIDS:
        raise Unpredictable(f"whether there is a process {pid}")
    return Reached(arguments)


def _number(arguments: tuple[Chosen, ...], index: int) -> int:
    value = arguments[index] if index < len(arguments) else 0
    if not isinstance(value, int):
        raise Unpredictable("an address where a number is expected")
    return value


_ON_THE_WAY: dict[str, Callable[[tuple[Chosen, ...]], Reached]] = {
    "prctl": _prctl,
    "lseek": _lseek,
    "read": _transfer,
    "write": _transfer,
    "pwrite64": _transfer_at,
    "getpgid": _getpgid,
}
