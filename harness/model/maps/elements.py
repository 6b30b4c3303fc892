# SPDX-License-Identifier: MIT
"""Elements of maps: a value that all CPUs share, or one for each possible CPU.

Programs see their own CPU's value. System calls copy all of them, each rounded up to a multiple of eight bytes:
bpf_map_value_size(), kernel/bpf/syscall.c of 5.10. The contents of the padding are unspecified: older kernels keep what
was passed in, 7.2 does not (seen).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.abi.bpf import F_ALL_CPUS, F_CPU, F_LOCK
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps.base import Map
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import M32
from harness.script.operations import CreateMap, MapType, UpdateFlag
from harness.script.reason import Gap

PER_CPU = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})
PADDING = "the bytes behind a value of a per-CPU map"


@dataclass(frozen=True)
class Shape:
    """Values of `size` bytes; `cpus` is how many CPUs are possible, None where they share one value."""

    size: int
    cpus: int | None = None

    @property
    def stride(self) -> int:
        """Returns the distance from one CPU's value to the next one's, in bytes."""
        return self.size if self.cpus is None else -(-self.size // 8) * 8

    @property
    def in_calls(self) -> int:
        """Returns the size of an element in system calls, in bytes."""
        return self.stride * (self.cpus or 1)

    def zero(self) -> Element:
        """Returns a new element of zeros."""
        return Element(self)


class Element:
    """The values of one key."""

    __slots__ = ("_shape", "_values")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._values = tuple(
            Region("a map value", shape.size, bytes(shape.size), alignment=8) for _ in range(shape.cpus or 1)
        )

    def on(self, cpu: int) -> Region:
        """Returns the live value that a program on this CPU sees."""
        return self._values[0 if self._shape.cpus is None else cpu]

    def store(self, source: Region, offset: int, cpu: int) -> None:
        """Stores as a program's update does: `source` holds one value at `offset`."""
        self.on(cpu).copy(0, source, offset, self._shape.size)

    def fill(self, source: Region) -> None:
        """Stores as a system call's update does: `source` holds every value."""
        for number, value in enumerate(self._values):
            value.copy(0, source, number * self._shape.stride, self._shape.size)

    def blur(self, cpu: int) -> None:
        """Marks the other CPUs' values as unknown."""
        for number, value in enumerate(self._values):
            if number != cpu:
                value.blur(0, self._shape.size, "what an element held before")

    def whole(self) -> Region:
        """Returns what a system call's lookup copies."""
        if self._shape.cpus is None:
            return self._values[0]
        region = Region("a map's values", self._shape.in_calls, garbage=PADDING)
        for number, value in enumerate(self._values):
            region.copy(number * self._shape.stride, value, 0, self._shape.size)
        return region


def check_cpu_flags(flags: int, cpus: int) -> None:
    """bpf_map_check_op_flags(), include/linux/bpf.h of 7.2: raises Errno EINVAL, ERANGE (seen on 7.2.13)."""
    low = flags & M32
    if low & F_LOCK or low > F_ALL_CPUS or (flags >> 32 and not low & F_CPU):
        raise Errno("EINVAL")
    if flags >> 32 >= cpus:
        raise Errno("ERANGE")
    if low not in (UpdateFlag.NOEXIST | UpdateFlag.EXIST, F_CPU, F_ALL_CPUS):
        raise Unpredictable(f"the model has no rule for flags {low:#x} together", Gap.MAPS)


class ElementMap(Map):
    """A map of elements, whatever its keys are."""

    def __init__(self, environment: Environment, wanted: CreateMap) -> None:
        super().__init__(MapType(wanted.type), wanted.key_size, wanted.value_size, wanted.max_entries)
        self.per_cpu = wanted.type in PER_CPU
        self.shape = Shape(wanted.value_size, environment.cpus if self.per_cpu else None)
        self._cpus = environment.cpus
        self._cpu_flags = self.per_cpu and environment.rules.maps.cpu_flags

    @property
    def size_in_calls(self) -> int:
        return self.shape.in_calls

    def size_given(self, flags: int) -> int:
        if not self._cpu_flags or flags <= UpdateFlag.EXIST:
            return self.size_in_calls
        check_cpu_flags(flags, self._cpus)
        return self.value_size if flags & (F_CPU | F_ALL_CPUS) else self.size_in_calls

    def read(self, key: bytes) -> Region | None:
        self._certain()
        element = self._find(key)
        return None if element is None else element.whole()

    def write(self, key: bytes, value: Region, flags: int, cpu: int = 0) -> None:
        self._certain()
        if flags > UpdateFlag.EXIST and not self._cpu_flags:
            raise Errno("EINVAL")
        new = self._find(key) is None
        element = self._place(key, flags, cpu)
        if not flags & (F_CPU | F_ALL_CPUS):
            element.fill(value)
            return
        for number in range(self._cpus) if flags & F_ALL_CPUS else (flags >> 32,):
            element.store(value, 0, number)
        if new and flags & F_CPU:
            element.blur(flags >> 32)

    def _lookup(self, key: bytes, cpu: int) -> Region | None:
        element = self._find(key)
        return None if element is None else element.on(cpu)

    def _update(self, key: bytes, value: Region, offset: int, flags: int, cpu: int) -> None:
        self._place(key, flags, cpu).store(value, offset, cpu)

    def _stored(self) -> Iterable[tuple[bytes, Region]]:
        return ((key, element.whole()) for key, element in self._all())

    def _find(self, key: bytes) -> Element | None:
        raise NotImplementedError

    def _place(self, key: bytes, flags: int, cpu: int) -> Element:
        """Returns the element that an update stores into; raises Errno as `update`."""
        raise NotImplementedError

    def _all(self) -> Iterable[tuple[bytes, Element]]:
        raise NotImplementedError
