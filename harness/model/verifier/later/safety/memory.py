# SPDX-License-Identifier: MIT
"""Accesses of memory: the stack, values of maps, records, the context.

Sources: check_mem_access(), check_ptr_alignment(), check_mem_region_access(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Set

from harness.model.verifier.context import VerifierContext
from harness.model.verifier.later.safety import stack
from harness.model.verifier.later.safety.contents import Content, Kind, Pointer, State, Unshown
from harness.model.verifier.later.safety.numbers import ANY, Number, constant, of_bits
from harness.model.verifier.rules import Rule


def load(
    state: State, context: VerifierContext, base: Content, off: int, size: int, readable: Set[Rule] = frozenset()
) -> Content:
    """Returns what a load gives; of less than eight bytes the rest of the register is 0."""
    pointer = _accessed(context, base, off, size, write=False)
    if pointer.kind is Kind.STACK:
        return stack.load(state.frames[pointer.frame], pointer.off + off, size, readable)
    if pointer.of is not None and pointer.of.content is not None and not pointer.spread:
        at = pointer.off + off
        return constant(int.from_bytes(pointer.of.content[at : at + size], "little"))
    return of_bits(8 * size)._replace(dense=True)


def store(state: State, context: VerifierContext, base: Content, off: int, size: int, value: Content) -> None:
    """Stores a register, or with ANY a constant of the instruction."""
    pointer = _accessed(context, base, off, size, write=True)
    if pointer.kind is Kind.CONTEXT:
        raise Unshown("the context is written")
    if pointer.kind is Kind.STACK:
        if isinstance(value, Pointer) and pointer.frame != len(state.frames) - 1:
            raise Unshown("a pointer is stored on a caller's stack")
        stack.store(state.frames[pointer.frame], pointer.off + off, size, value)


def add(state: State, context: VerifierContext, base: Content, off: int, size: int, value: Content) -> None:
    """Checks an atomic operation, which reads and writes."""
    if not isinstance(value, Number):
        raise Unshown("an atomic operation with a pointer")
    if isinstance(base, Pointer) and base.kind is Kind.CONTEXT:
        raise Unshown("an atomic operation on the context")
    if not isinstance(load(state, context, base, off, size), Number):
        raise Unshown("an atomic operation on a pointer")
    store(state, context, base, off, size, ANY)


def passed(state: State, base: Content, size: Number, readable: Set[Rule], *, filled: bool = False) -> None:
    """Checks memory of so many bytes that a helper gets, and reads, or with `filled` writes and does not read."""
    if not isinstance(base, Pointer) or base.maybe:
        raise Unshown("a helper gets no pointer to memory")
    if base.kind is Kind.STACK:
        stack.passed(state.frames[base.frame], base.off, size.high, readable, filled=filled and size.known)
    elif base.kind is Kind.VALUE:
        _check_map(base, write=filled)
        _check_inside(base, 0, size.high)
    elif base.kind is Kind.RECORD:
        _check_inside(base, 0, size.high)
    else:
        raise Unshown("a helper gets no memory")


def _accessed(context: VerifierContext, base: Content, off: int, size: int, *, write: bool) -> Pointer:
    if not isinstance(base, Pointer) or base.maybe:
        raise Unshown("an access through what is no pointer")
    if base.kind is Kind.CONTEXT:
        if base.off or not context.kind.context.allows(off, size, write=write):
            raise Unshown(f"an access to the context at {base.off + off}")
    elif base.kind in (Kind.VALUE, Kind.RECORD):
        if base.kind is Kind.VALUE:
            _check_map(base, write=write)
        _check_inside(base, off, size)
        if context.aligned and (base.spread or (base.off + off) % size):
            raise Unshown("an access that may be misaligned")
    elif base.kind is not Kind.STACK:
        raise Unshown("an access to a map itself")
    return base


def _check_map(pointer: Pointer, *, write: bool) -> None:
    assert pointer.of is not None
    if not (pointer.of.writable if write else pointer.of.readable):
        raise Unshown("an access that the map forbids")


def _check_inside(pointer: Pointer, off: int, size: int) -> None:
    whole = pointer.of.value_size if pointer.of is not None else pointer.size
    first = pointer.off + off
    if first < 0 or first + pointer.spread + size > whole:
        raise Unshown(f"an access to bytes {first} to {first + pointer.spread + size} of {whole}")
