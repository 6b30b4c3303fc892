# SPDX-License-Identifier: MIT
"""The elements of a map, read from the kernel's memory: kernel/bpf/arraymap.c and kernel/bpf/hashtab.c."""

from __future__ import annotations

from collections.abc import Iterator

import gdb

from harness.abi.bpf import MapType
from harness.debug.inside.guest import Structures, half, memory, symbol, word
from harness.debug.inside.loaded import Loaded
from hil.errors import UserError

_ARRAYS, _HASHES = (MapType.ARRAY,), (MapType.HASH, MapType.LRU_HASH)
_KEY_BYTES = 4
_CPUS_AT_MOST = 64
MOST = 1 << 16
"""The elements that are looked at."""


def address_of(loaded: Loaded, name: str, structures: Structures) -> int:
    """Returns the address of a map's `struct bpf_map`, which a program that uses it knows."""
    aux = word(loaded.pointer + structures.offset("bpf_prog", "aux"))
    used, count = (aux + structures.offset("bpf_prog_aux", one) for one in ("used_maps", "used_map_cnt"))
    place = list(loaded.data.maps).index(name)
    if place >= half(count):
        raise UserError(f"the kernel's {loaded.data.name} does not use {name}")
    return word(word(used) + 8 * place)


class Elements:
    """The elements of the map at `pointer`; `kind`, and the sizes, are the kernel's own."""

    def __init__(self, pointer: int, structures: Structures) -> None:
        self._pointer = pointer
        self._structures = structures
        self.kind = self._field("map_type")
        self.key_size, self.value_size = self._field("key_size"), self._field("value_size")
        self.entries = self._field("max_entries")

    def _field(self, name: str) -> int:
        return half(self._at("bpf_map", name))

    def __iter__(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yields each key with its value, one for each CPU in a map that has them; raises UserError for a type of maps
        whose memory nobody looked up."""
        if self.kind in _ARRAYS:
            yield from self._array()
        elif self.kind == MapType.PERCPU_ARRAY:
            yield from self._per_cpu()
        elif self.kind in _HASHES:
            yield from self._hash()
        else:
            raise UserError(
                f"maps of type {MapType(self.kind).name} cannot be shown",
                remedy="arrays, arrays for each CPU, and hash tables can",
            )

    def _at(self, structure: str, field: str) -> int:
        return self._pointer + self._structures.offset(structure, field)

    def _array(self) -> Iterator[tuple[bytes, list[bytes]]]:
        start, size = self._at("bpf_array", "value"), half(self._at("bpf_array", "elem_size"))
        for index in range(min(self.entries, MOST)):
            yield index.to_bytes(_KEY_BYTES, "little"), [memory(start + size * index, self.value_size)]

    def _per_cpu(self) -> Iterator[tuple[bytes, list[bytes]]]:
        offsets = symbol("__per_cpu_offset")
        if offsets is None:
            raise UserError(
                "the kernel's symbols lack __per_cpu_offset, so where each CPU has its values is not known",
                remedy="it needs CONFIG_KALLSYMS_ALL, or a vmlinux",
            )
        start = self._at("bpf_array", "pptrs")
        cpus = [word(offsets + 8 * cpu) for cpu in range(min(len(gdb.selected_inferior().threads()), _CPUS_AT_MOST))]
        for index in range(min(self.entries, MOST)):
            place = word(start + 8 * index)
            values = [memory(place + offset, self.value_size) for offset in cpus]
            yield index.to_bytes(_KEY_BYTES, "little"), values

    def _hash(self) -> Iterator[tuple[bytes, list[bytes]]]:
        offset = self._structures.offset
        buckets, count = word(self._at("bpf_htab", "buckets")), half(self._at("bpf_htab", "n_buckets"))
        key = offset("htab_elem", "key")
        value = key + -(-self.key_size // 8) * 8
        node, stride = offset("htab_elem", "hash_node"), self._stride()
        for bucket in range(min(count, MOST)):
            at = word(buckets + stride * bucket)
            # The end of a list is 0, or an odd number (include/linux/list_nulls.h).
            while at and not at & 1:
                element = at - node
                yield memory(element + key, self.key_size), [memory(element + value, self.value_size)]
                at = word(at)

    def _stride(self) -> int:
        """Returns the bytes of a bucket, which is a list's head alone before 4.5."""
        try:
            lock = self._structures.offset("bucket", "raw_lock")
        except UserError:
            return 8
        return -(-(lock + 4) // 8) * 8
