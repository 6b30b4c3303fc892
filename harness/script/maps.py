# SPDX-License-Identifier: MIT
"""Operations on maps: bpf(2) and, for ring buffers, mmap(2)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi.bpf import MapType, UpdateFlag
from harness.script.outcome import PerCpu
from harness.script.values import Descriptor, Ref


@dataclass(frozen=True)
class CreateMap:
    """bpf(BPF_MAP_CREATE)."""

    name: str
    type: MapType | int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0


@dataclass(frozen=True)
class LookupElement:
    """bpf(BPF_MAP_LOOKUP_ELEM): the outcome's data is the value, `value_size` bytes. `key` None is a null pointer.

    With `per_cpu`, the data is one such value for each possible CPU, each rounded up to a multiple of eight.
    """

    map: Descriptor
    key: bytes | None
    value_size: int
    per_cpu: bool = False


@dataclass(frozen=True)
class UpdateElement:
    """bpf(BPF_MAP_UPDATE_ELEM). `key` None is a null pointer; a `Ref` as value is the descriptor's number, 32 bits."""

    map: Descriptor
    key: bytes | None
    value: bytes | Ref | PerCpu
    flags: UpdateFlag | int = UpdateFlag.ANY


@dataclass(frozen=True)
class DeleteElement:
    """bpf(BPF_MAP_DELETE_ELEM). `key` None is a null pointer."""

    map: Descriptor
    key: bytes | None


@dataclass(frozen=True)
class GetNextKey:
    """bpf(BPF_MAP_GET_NEXT_KEY): the outcome's data is the next key. `key` None is a null pointer."""

    map: Descriptor
    key: bytes | None
    key_size: int


@dataclass(frozen=True)
class ReadElements:
    """bpf(BPF_MAP_GET_NEXT_KEY) and bpf(BPF_MAP_LOOKUP_ELEM) in turn, for the first `most` elements of a map: the value
    is how many there were; the outcome's data is each key with its value behind it, in the order of the keys."""

    map: Descriptor
    key_size: int
    value_size: int
    per_cpu: bool = False
    most: int = 64

    @property
    def nbytes(self) -> int:
        """Returns how many bytes there is room for."""
        return self.most * (self.key_size + self.value_size)


@dataclass(frozen=True)
class MapRingBuffer:
    """mmap(2) of a map of type RINGBUF with `size` bytes of data, as consumers do it: the consumer's page writable,
    then the producer's page and the data, twice in a row, read-only. One outcome stands for both calls."""

    name: str
    map: Descriptor
    size: int


@dataclass(frozen=True)
class ReadRingBuffer:
    """Consumes every record of a mapped ring buffer map, discarded ones too; they are the outcome's records, oldest
    first."""

    buffer: Ref


@dataclass(frozen=True)
class MapPages:
    """mmap(2), shared, of `count` pages of a descriptor from page `first` on, and munmap(2) if that worked."""

    descriptor: Descriptor
    first: int
    count: int
    writable: bool = False
