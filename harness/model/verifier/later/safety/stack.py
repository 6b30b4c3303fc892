# SPDX-License-Identifier: MIT
"""The stack: what is stored in it, and what a load from it gives.

Sources: check_stack_write(), check_stack_read(), check_stack_boundary(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Set

from harness.isa.opcodes import STACK_SIZE
from harness.model.verifier.later.safety.contents import INVALID, PLAIN, ZERO, Content, Frame, Pointer, Slot, Unshown
from harness.model.verifier.later.safety.numbers import Number, constant, of_bits
from harness.model.verifier.rules import Rule

_NOTHING, _PLAIN = bytes([INVALID]) * 8, bytes([PLAIN]) * 8
_ZEROS_FORGOTTEN = bytes.maketrans(bytes([ZERO]), bytes([PLAIN]))


def check_bounds(off: int, size: int) -> None:
    """Checks that bytes from R10 + `off` on are on the stack, and aligned, which verifiers demand of it everywhere."""
    if not -STACK_SIZE <= off <= -size:
        raise Unshown(f"an access to the stack at {off} of {size} bytes")


def store(frame: Frame, off: int, size: int, value: Content) -> None:
    """Stores a number, or all of a pointer. Only constants are known again, and of a part only that it is zero."""
    _check_aligned(off, size)
    number, first = divmod(STACK_SIZE + off, 8)
    zero = isinstance(value, Number) and value.known and value.low == 0
    if isinstance(value, Pointer) and size != 8:
        raise Unshown("part of a pointer is stored on the stack")
    if size == 8 and (isinstance(value, Pointer) or (isinstance(value, Number) and value.known and not zero)):
        frame.stack[number] = value
        return
    kinds = _kinds(frame.stack.get(number))
    frame.stack[number] = kinds[:first] + bytes([ZERO if zero else PLAIN]) * size + kinds[first + size :]


def load(frame: Frame, off: int, size: int, readable: Set[Rule]) -> Content:
    """Returns what is loaded: what was stored in one piece, or any number of so many bits; `readable` are the rules
    against reading what nobody stored that do not hold."""
    _check_aligned(off, size)
    number, first = divmod(STACK_SIZE + off, 8)
    slot = frame.stack.get(number, _NOTHING)
    if not isinstance(slot, bytes):
        if size == 8:
            return slot
        if isinstance(slot, Pointer):
            raise Unshown("part of a pointer is loaded from the stack")
        return of_bits(8 * size)
    kinds = slot[first : first + size]
    if INVALID in kinds and not _may_be_read(frame, number, readable):
        raise Unshown(f"a load from the stack at {off}, where nothing may have been stored")
    return constant(0) if kinds == bytes([ZERO]) * size else of_bits(8 * size)


def passed(frame: Frame, off: int, size: int, readable: Set[Rule], *, filled: bool) -> None:
    """Checks memory that a helper reads, or with `filled` writes all of; any number may be there afterwards, as
    verifiers see it, and in 5.10 in whole slots of constants. `readable` is as for `load`."""
    check_bounds(off, size)
    for number in range(STACK_SIZE + off >> 3, (STACK_SIZE + off + size - 1 >> 3) + 1):
        slot = frame.stack.get(number, _NOTHING)
        begin, end = max(STACK_SIZE + off - 8 * number, 0), min(STACK_SIZE + off + size - 8 * number, 8)
        if isinstance(slot, Pointer) and not filled:
            raise Unshown("a helper gets memory with a pointer in it")
        kinds = _kinds(slot)
        if not filled and INVALID in kinds[begin:end]:
            if not _may_be_read(frame, number, readable):
                raise Unshown(f"a helper gets memory at {off}, where nothing may have been stored")
            if slot is not _NOTHING:
                frame.stack[number] = bytes(PLAIN if kind else INVALID for kind in kinds)
            continue
        frame.stack[number] = kinds[:begin] + bytes([PLAIN]) * (end - begin) + kinds[end:]


def _may_be_read(frame: Frame, number: int, readable: Set[Rule]) -> bool:
    """Returns whether bytes of a slot may be read that nobody stored: every verifier knows what was stored here."""
    above = any(written <= number for written in frame.stack)
    return (Rule.STACK_UNWRITTEN if above else Rule.STACK_BELOW) in readable


def _kinds(slot: Slot | None) -> bytes:
    """Returns the kinds of the bytes of a slot, of which a part is overwritten. Since 6.8 a zero is kept as any other
    constant, and what is left of one is any number: scrub_spilled_slot()."""
    if slot is None:
        return _NOTHING
    return slot.translate(_ZEROS_FORGOTTEN) if isinstance(slot, bytes) else _PLAIN


def _check_aligned(off: int, size: int) -> None:
    check_bounds(off, size)
    if off % size:
        raise Unshown(f"a misaligned access to the stack at {off} of {size} bytes")
