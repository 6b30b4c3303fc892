# SPDX-License-Identifier: MIT
"""BPF_MAP_TYPE_STACK_TRACE, since 4.6: call chains by the hash of their addresses; kernel/bpf/stackmap.c.

The number of a chain depends on kernel addresses, and is known only where there is one bucket. Otherwise only this is
known: the same chain has the same number.
"""

from __future__ import annotations

from collections.abc import Hashable

from harness.abi import bpf
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps.base import Map
from harness.model.maps.limits import check_flags, check_memory
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import Value, partial_of
from harness.script.operations import CreateMap, MapType
from harness.script.outcome import Unknown

DEEPEST = 127
"""kernel.perf_event_max_stack: no chain has more addresses."""


class StackTraceMap(Map):
    """A map whose keys are u32 numbers of buckets, and whose values are the chains in them, with zeros behind."""

    def __init__(self, value_size: int, max_entries: int) -> None:
        super().__init__(MapType.STACK_TRACE, 4, value_size, max_entries)
        self._buckets = 1 << (max_entries - 1).bit_length()
        self._numbers: dict[Hashable, Value] = {}
        """The stored chains, at most one to a bucket, by what is the same for the same chain."""

    def number(self, chain: Hashable, flags: int) -> Value:
        """bpf_get_stackid(): stores the chain and returns its bucket; raises Errno EINVAL, EFAULT, EEXIST, ENOMEM."""
        self._certain()
        if flags & ~(bpf.F_SKIP_FIELD_MASK | bpf.F_USER_STACK | bpf.F_FAST_STACK_CMP | bpf.F_REUSE_STACKID):
            raise Errno("EINVAL")
        check_depth(flags)
        if chain in self._numbers:
            return self._numbers[chain]
        if self._numbers and self._buckets > 1:
            raise Unpredictable("whether two call chains have the same number")
        if self._numbers:  # a new element is taken before the old one is given back, and there is only one
            raise Errno("ENOMEM" if flags & bpf.F_REUSE_STACKID else "EEXIST")
        number: Value = 0
        if self._buckets > 1:
            number = partial_of(Unknown("the number of a call chain", least=0, most=self._buckets - 1))
        self._numbers[chain] = number
        return number

    def update(self, key: bytes, value: Region, offset: int, flags: int, cpu: int = 0) -> None:
        raise Errno("EINVAL")

    def _lookup(self, key: bytes, cpu: int) -> Region | None:
        return self._chain() if self._holds(self._index(key)) else None

    def _delete(self, key: bytes) -> None:
        index = self._index(key)
        if index >= self._buckets:
            raise Errno("E2BIG")
        if not self._holds(index):
            raise Errno("ENOENT")
        self._numbers.clear()

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        """stack_map_get_next_key(): after an empty bucket it begins again."""
        if not self._numbers:
            raise Errno("ENOENT")
        if self._buckets > 1:
            raise Unpredictable("which numbers the call chains have")
        if key is not None and self._index(key) == 0:
            raise Errno("ENOENT")
        return (bytes(4),)

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        self._certain()
        if self._numbers and self._buckets > 1:
            raise Unpredictable("the numbers of call chains are not known")
        return tuple((bytes(4), self._chain()) for _ in self._numbers)

    def _holds(self, index: int) -> bool:
        if index >= self._buckets or not self._numbers:
            return False
        if self._buckets > 1:
            raise Unpredictable("which numbers the call chains have")
        return True

    def _chain(self) -> Region:
        return Region("a call chain", self.value_size, garbage="addresses of a call chain, then zeros")

    def _index(self, key: bytes) -> int:
        return int.from_bytes(key, "little")


def check_depth(flags: int) -> None:
    """Raises Errno EFAULT when more addresses are skipped than there can be; Unpredictable when it is not known whether
    there are so many. Every chain has a first address."""
    skipped = flags & bpf.F_SKIP_FIELD_MASK
    if skipped >= DEEPEST:
        raise Errno("EFAULT")
    if skipped or flags & bpf.F_USER_STACK:
        raise Unpredictable("how deep the stack is")


def create_stack_trace(environment: Environment, wanted: CreateMap) -> StackTraceMap:
    """stack_map_alloc(): raises Errno EINVAL."""
    check_flags(environment, wanted)
    size = wanted.value_size
    if wanted.max_entries == 0 or wanted.key_size != 4 or size < 8 or size % 8 or size // 8 > DEEPEST:
        raise Errno("EINVAL")
    check_memory(environment, wanted.max_entries * (size + 24))
    return StackTraceMap(size, wanted.max_entries)
