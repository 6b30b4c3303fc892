"""Array maps: kernel/bpf/arraymap.c."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.errno import Errno
from harness.model.maps.base import Map
from harness.model.maps.limits import NO_PREALLOC, check_flags, check_memory
from harness.model.memory import Region
from harness.model.rules import MapRules
from harness.script.operations import CreateMap, MapType, UpdateFlag


def create_array(rules: MapRules, wanted: CreateMap) -> Map:
    """array_map_alloc_check(), array_map_alloc()."""
    if wanted.max_entries == 0 or wanted.key_size != 4 or wanted.value_size == 0:
        raise Errno("EINVAL")
    check_flags(wanted.flags, taken=0, refused=NO_PREALLOC)
    stride = (wanted.value_size + 7) & ~7
    if wanted.value_size > rules.most_array_value:
        raise Errno(rules.too_large_array_value)
    if rules.most_array_bytes is not None and wanted.max_entries > rules.most_array_bytes // stride:
        raise Errno("ENOMEM")
    check_memory(wanted.max_entries * stride)
    return ArrayMap(wanted.value_size, wanted.max_entries)


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
        return following_index(key, self.max_entries)

    def _stored(self) -> Iterable[tuple[bytes, Region]]:
        return ((index.to_bytes(4, "little"), value) for index, value in self._values.items())

    def _element(self, index: int) -> Region:
        if index not in self._values:
            self._values[index] = Region("a map value", self.value_size, bytes(self.value_size))
        return self._values[index]


def following_index(key: bytes | None, entries: int) -> tuple[bytes, ...]:
    """array_map_get_next_key(): the next index, the first one after what is none; Errno ENOENT after the last."""
    index = (1 << 32) - 1 if key is None else int.from_bytes(key, "little")
    if index == entries - 1:
        raise Errno("ENOENT")
    following = index + 1 if index < entries else 0
    return (following.to_bytes(4, "little"),)
