"""Maps, as programs and system calls see them alike: kernel/bpf/hashtab.c and arraymap.c.

A value is a `Region`, so that a program may store through the pointer a lookup gave it. Operations fail with `Errno`.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.errno import Errno
from harness.model.memory import Region
from harness.model.rules import MapRules
from harness.model.value import Unpredictable
from harness.script.operations import MapType, UpdateFlag


class MapHandle(Region):
    """The kernel's `struct bpf_map`: programs hold its address but cannot look inside."""

    __slots__ = ("map",)

    def __init__(self, of: Map) -> None:
        super().__init__("a map", 0, b"")
        self.map = of


class Map:
    """What all types of maps share. `doubt` says why the content cannot be known any more."""

    def __init__(self, type: MapType, key_size: int, value_size: int, max_entries: int) -> None:
        self.type = type
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.handle = MapHandle(self)
        self.doubt = ""

    def lookup(self, key: bytes) -> Region | None:
        """The live value, None when there is none."""
        self._certain()
        return self._lookup(key)

    def update(self, key: bytes, value: Region, offset: int, flags: int) -> None:
        """Takes `value_size` bytes at `offset` of `value`; Errno EINVAL, E2BIG, EEXIST, ENOENT."""
        self._certain()
        if flags > UpdateFlag.EXIST:
            raise Errno("EINVAL")
        self._update(key, value, offset, flags)

    def delete(self, key: bytes) -> None:
        """Errno ENOENT, EINVAL."""
        self._certain()
        self._delete(key)

    def following(self, key: bytes | None) -> tuple[bytes, ...]:
        """The keys of which one is next after `key` (None: after a null pointer); Errno ENOENT."""
        self._certain()
        return self._following(key)

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        """Keys and live values of every element somebody may have stored into, by key."""
        self._certain()
        return tuple(sorted(self._stored(), key=lambda element: element[0]))

    def _certain(self) -> None:
        if self.doubt:
            raise Unpredictable(self.doubt)

    def _lookup(self, key: bytes) -> Region | None:
        raise NotImplementedError

    def _update(self, key: bytes, value: Region, offset: int, flags: int) -> None:
        raise NotImplementedError

    def _delete(self, key: bytes) -> None:
        raise NotImplementedError

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        raise NotImplementedError

    def _stored(self) -> Iterable[tuple[bytes, Region]]:
        raise NotImplementedError


class HashMap(Map):
    """BPF_MAP_TYPE_HASH."""

    def __init__(self, key_size: int, value_size: int, max_entries: int, rules: MapRules) -> None:
        super().__init__(MapType.HASH, key_size, value_size, max_entries)
        self._rules = rules
        self._values: dict[bytes, Region] = {}

    def _lookup(self, key: bytes) -> Region | None:
        return self._values.get(key)

    def _update(self, key: bytes, value: Region, offset: int, flags: int) -> None:
        present = key in self._values
        full = not present and len(self._values) >= self.max_entries
        if full and self._rules.full_before_flags:
            raise Errno("E2BIG")
        if present and flags == UpdateFlag.NOEXIST:
            raise Errno("EEXIST")
        if not present and flags == UpdateFlag.EXIST:
            raise Errno("ENOENT")
        if full:
            raise Errno("E2BIG")
        # A new element takes the old one's place: a pointer to the old value does not see the new one.
        element = Region("a map value", self.value_size)
        element.copy(0, value, offset, self.value_size)
        self._values[key] = element

    def _delete(self, key: bytes) -> None:
        if self._values.pop(key, None) is None:
            raise Errno("ENOENT")

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        """The order is the hash function's business, so only few elements leave nothing open."""
        if key not in self._values:
            return _some(self._values)
        others = [other for other in self._values if other != key]
        if others:
            raise Unpredictable("the order of a hash map's keys is unspecified, and this key may be its last")
        raise Errno("ENOENT")

    def _stored(self) -> Iterable[tuple[bytes, Region]]:
        return self._values.items()


class ArrayMap(Map):
    """BPF_MAP_TYPE_ARRAY: all elements exist from the beginning and are zero. A key is a u32 index."""

    def __init__(self, value_size: int, max_entries: int) -> None:
        super().__init__(MapType.ARRAY, 4, value_size, max_entries)
        self._values: dict[int, Region] = {}

    def _lookup(self, key: bytes) -> Region | None:
        index = int.from_bytes(key, "little")
        return self._element(index) if index < self.max_entries else None

    def _update(self, key: bytes, value: Region, offset: int, flags: int) -> None:
        index = int.from_bytes(key, "little")
        if index >= self.max_entries:
            raise Errno("E2BIG")
        if flags == UpdateFlag.NOEXIST:
            raise Errno("EEXIST")
        self._element(index).copy(0, value, offset, self.value_size)

    def _delete(self, key: bytes) -> None:
        raise Errno("EINVAL")

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        index = (1 << 32) - 1 if key is None else int.from_bytes(key, "little")
        if index == self.max_entries - 1:
            raise Errno("ENOENT")
        following = index + 1 if index < self.max_entries else 0
        return (following.to_bytes(4, "little"),)

    def _stored(self) -> Iterable[tuple[bytes, Region]]:
        return ((index.to_bytes(4, "little"), value) for index, value in self._values.items())

    def _element(self, index: int) -> Region:
        if index not in self._values:
            self._values[index] = Region("a map value", self.value_size, bytes(self.value_size))
        return self._values[index]


def _some(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    found = tuple(keys)
    if not found:
        raise Errno("ENOENT")
    return found
