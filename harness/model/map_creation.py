"""BPF_MAP_CREATE: the checks of find_and_alloc_map() and of each type's allocation, in the kernel's order."""

from __future__ import annotations

from collections.abc import Callable

from harness.model.errno import Errno
from harness.model.maps import ArrayMap, HashMap, Map
from harness.model.rules import MapRules
from harness.model.value import Unpredictable
from harness.script.operations import CreateMap, MapType

NO_PREALLOC = 1
"""BPF_F_NO_PREALLOC, which a hash map takes since 4.6 and which nothing here shows."""
MEANINGLESS_FLAGS = 0xFFFF0000
"""No release gave these bits of map_flags a meaning yet."""
LARGEST_CERTAIN = 16 << 20
"""Bytes a map may take before the guest's memory decides whether it can."""


def create(rules: MapRules, wanted: CreateMap) -> Map:
    """The new map; Errno EINVAL, E2BIG, ENOMEM as the era's kernel says."""
    if wanted.flags and not rules.has_flags:
        raise Errno("EINVAL")
    if wanted.type not in rules.types:
        raise Errno("EINVAL")
    if wanted.type not in _MAKERS:
        raise Unpredictable(f"the model has no maps of type {wanted.type}")
    return _MAKERS[wanted.type](rules, wanted)


def _hash(rules: MapRules, wanted: CreateMap) -> Map:
    _check_flags(wanted.flags, taken=NO_PREALLOC)
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
    _check_memory(wanted.max_entries * (element if rules.has_flags else 8))
    return HashMap(wanted.key_size, wanted.value_size, wanted.max_entries, rules)


def _array(rules: MapRules, wanted: CreateMap) -> Map:
    if wanted.max_entries == 0 or wanted.key_size != 4 or wanted.value_size == 0:
        raise Errno("EINVAL")
    _check_flags(wanted.flags, taken=0, refused=NO_PREALLOC)
    stride = (wanted.value_size + 7) & ~7
    if wanted.value_size > rules.most_array_value:
        raise Errno(rules.too_large_array_value)
    if rules.most_array_bytes is not None and wanted.max_entries > rules.most_array_bytes // stride:
        raise Errno("ENOMEM")
    _check_memory(wanted.max_entries * stride)
    return ArrayMap(wanted.value_size, wanted.max_entries)


def _check_flags(flags: int, *, taken: int, refused: int = 0) -> None:
    if flags & (MEANINGLESS_FLAGS | refused):
        raise Errno("EINVAL")
    if flags & ~taken:
        raise Unpredictable(f"the model does not know map_flags {flags & ~taken:#x}")


def _check_memory(size: int) -> None:
    if size > LARGEST_CERTAIN:
        raise Unpredictable(f"whether a map of {size} bytes can be had depends on the guest's memory")


_MAKERS: dict[int, Callable[[MapRules, CreateMap], Map]] = {MapType.HASH: _hash, MapType.ARRAY: _array}
