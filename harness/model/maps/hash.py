"""Hash maps: kernel/bpf/hashtab.c."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.errno import Errno
from harness.model.maps.base import Map
from harness.model.maps.limits import NO_PREALLOC, check_flags, check_memory
from harness.model.memory import Region
from harness.model.rules import MapRules
from harness.model.value import Unpredictable
from harness.script.operations import CreateMap, MapType, UpdateFlag


def create_hash(rules: MapRules, wanted: CreateMap) -> Map:
    """htab_map_alloc_check(), htab_map_alloc()."""
    check_flags(wanted.flags, taken=NO_PREALLOC)
    if 0 in (wanted.max_entries, wanted.key_size, wanted.value_size):
        raise Errno("EINVAL")
    element = wanted.key_size + wanted.value_size
    if rules.most_hash_key is not None and wanted.key_size > rules.most_hash_key:
        raise Errno("E2BIG")
    if rules.most_hash_element is not None and element >= rules.most_hash_element:
        raise Errno("E2BIG")
    if wanted.max_entries > rules.most_hash_entries:
        raise Errno(rules.too_many_hash_entries)
    # Since 4.6 all elements are allocated beforehand; in 4.1 the bucket heads are.
    check_memory(wanted.max_entries * (element if rules.preallocates else 8))
    return HashMap(wanted.key_size, wanted.value_size, wanted.max_entries, rules)


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


def _some(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    found = tuple(keys)
    if not found:
        raise Errno("ENOENT")
    return found
