# SPDX-License-Identifier: MIT
"""The interface of maps of every type for programs and system calls: `struct bpf_map` and its `struct bpf_map_ops`.

A value is a `Region`, so that a program may store through the pointer that a lookup returned. Operations fail with
`Errno`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from harness.abi.bpf import MapFlag
from harness.model.errno import Errno
from harness.model.memory import Fault, Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import Pointer, Value
from harness.script.operations import MapType, UpdateFlag

M = TypeVar("M", bound="Map")


class MapHandle(Region):
    """The kernel's `struct bpf_map`: programs hold its address but cannot look inside."""

    __slots__ = ("map",)

    def __init__(self, of: Map) -> None:
        super().__init__("a map", 0, b"")
        self.map = of


def map_behind(value: Value, kind: type[M]) -> M:
    """Returns the map that a helper was given; raises Fault when it was given none, or none of this kind."""
    if isinstance(value, Pointer) and isinstance(value.region, MapHandle) and isinstance(value.region.map, kind):
        return value.region.map
    raise Fault(f"a helper was given {value} for a map it takes")


class Map:
    """The base of all types of maps. `doubt` says why the content cannot be known any more.

    Programs `lookup` and `update`, system calls `read` and `write`; `cpu` is the one the caller runs on. `flags` are
    the map_flags it was made with; a `frozen` map is not written by system calls any more.
    """

    def __init__(self, type: MapType, key_size: int, value_size: int, max_entries: int) -> None:
        self.type = type
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.flags = 0
        self.frozen = False
        self.handle = MapHandle(self)
        self.doubt = ""

    def distrust(self, why: str) -> None:
        """Marks the content as unknown: anything may have been done to the map."""
        self.doubt = self.doubt or why

    @property
    def constant(self) -> bool:
        """Returns whether nobody writes to it any more, so that verifiers may take what is in it for known: since 5.5
        (a23740ec43ba), also behind a look-up; bpf_map_is_rdonly()."""
        return self.frozen and bool(self.flags & MapFlag.RDONLY_PROG)

    @property
    def may_be_constant(self) -> bool:
        """Returns whether it is constant, or was perhaps made so."""
        return bool(self.flags & MapFlag.RDONLY_PROG) and (self.frozen or bool(self.doubt))

    @property
    def size_in_calls(self) -> int:
        """Returns how many bytes system calls copy for a value; bpf_map_value_size()."""
        return self.value_size

    def size_given(self, flags: int) -> int:
        """Returns how many bytes a system call's update takes for a value; raises Errno for flags that are refused
        before that."""
        return self.size_in_calls

    def lookup(self, key: bytes, cpu: int = 0) -> Region | None:
        """Returns the live value, None when there is none."""
        self._certain()
        return self._lookup(key, cpu)

    def update(self, key: bytes, value: Region, offset: int, flags: int, cpu: int = 0) -> None:
        """Stores `value_size` bytes at `offset` of `value`; raises Errno EINVAL, E2BIG, EEXIST, ENOENT."""
        self._certain()
        if flags > UpdateFlag.EXIST:
            raise Errno("EINVAL")
        self._update(key, value, offset, flags, cpu)

    def read(self, key: bytes) -> Region | None:
        """Returns `size_in_calls` bytes as they are now, None when there is no value; bpf_map_copy_value()."""
        return self.lookup(key)

    def write(self, key: bytes, value: Region, flags: int, cpu: int = 0) -> None:
        """Stores `size_in_calls` bytes; raises Errno as `update`; bpf_map_update_value()."""
        self.update(key, value, 0, flags, cpu)

    def delete(self, key: bytes) -> None:
        """Deletes an element; raises Errno ENOENT, EINVAL."""
        self._certain()
        self._delete(key)

    def following(self, key: bytes | None) -> tuple[bytes, ...]:
        """Returns the keys of which one is next after `key` (None: after a null pointer); raises Errno ENOENT."""
        self._certain()
        return self._following(key)

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        """Returns keys and values, as system calls see them, of every element that may have been stored into, by
        key."""
        self._certain()
        return tuple(sorted(self._stored(), key=lambda element: element[0]))

    def _certain(self) -> None:
        if self.doubt:
            raise Unpredictable(self.doubt)

    def _lookup(self, key: bytes, cpu: int) -> Region | None:
        raise NotImplementedError

    def _update(self, key: bytes, value: Region, offset: int, flags: int, cpu: int) -> None:
        raise NotImplementedError

    def _delete(self, key: bytes) -> None:
        raise NotImplementedError

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        raise NotImplementedError

    def _stored(self) -> Iterable[tuple[bytes, Region]]:
        raise NotImplementedError
