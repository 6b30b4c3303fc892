# SPDX-License-Identifier: MIT
"""bpf_probe_read and its later kin: copies of memory that may not be mapped; kernel/trace/bpf_trace.c.

4.1 has one helper, which reads anything. Since 5.5 there is one for user space and one for the kernel, and the old one
takes the address for a user's when it is below TASK_SIZE. Kernel reads check the address first, where the architecture
has a check (copy_from_kernel_nofault_allowed()), and fail with ERANGE then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from harness.model.architecture import architecture_rules
from harness.model.environment import Environment
from harness.model.errno import negative
from harness.model.memory import Fault, UserMemory
from harness.model.value import Pointer, Value, exactly, number, unknown

LOWEST_MAPPABLE = 1 << 16
"""The lowest address that a process can map: vm.mmap_min_addr."""
SURELY_USER = 1 << 47
"""An address below TASK_SIZE on every architecture."""
WORD = 8


class Space(Enum):
    """The memory that a helper reads."""

    USER = auto()
    KERNEL = auto()
    EITHER = auto()


class Half(Enum):
    """The half of the address space in which an address lies."""

    USER = auto()
    KERNEL = auto()
    NEITHER = auto()


@dataclass(frozen=True)
class Source:
    """What is known of a read before it is made: the memory, or the errno it fails with, or why it is unknown. Where
    memory ends on the way, the first `reachable` bytes are copied before it fails."""

    memory: Pointer | None = None
    reachable: int | None = None
    errno: str = ""
    why: str = ""


def reader(space: Space) -> Callable[..., Value]:
    """Returns probe_read*(to, size, address), which returns 0 or a negative errno."""

    def probe_read(environment: Environment, to: Value, size: Value, address: Value, *_: Value) -> Value:
        target, nbytes = buffer(to), exactly(size)
        source = _source(environment, space, address, nbytes)
        if source.memory is None:
            return _without_memory(environment, target, nbytes, source)
        reachable = nbytes if source.reachable is None else source.reachable
        target.region.copy(target.offset, source.memory.region, source.memory.offset, reachable)
        return 0 if reachable == nbytes else _without_memory(environment, target, nbytes, Source(errno="EFAULT"))

    return probe_read


def string_reader(space: Space) -> Callable[..., Value]:
    """Returns probe_read*_str(to, size, address), which copies up to and including a NUL, which it writes itself when
    `size` ends before; it returns the length with the NUL, or a negative errno."""

    def probe_read_str(environment: Environment, to: Value, size: Value, address: Value, *_: Value) -> Value:
        target, nbytes = buffer(to), exactly(size)
        source = _source(environment, space, address, 1)
        if source.memory is None:
            return _without_memory(environment, target, nbytes, source)
        region, offset = source.memory.region, source.memory.offset
        text = region.known(offset, min(nbytes, region.size - offset))
        if 0 in text:
            text = text[: text.index(0) + 1]
        elif len(text) == nbytes:
            text = text[:-1] + b"\0"
        elif isinstance(region, UserMemory) and region.ends:
            return _without_memory(environment, target, nbytes, Source(errno="EFAULT"))
        else:
            return _without_memory(environment, target, nbytes, Source(why=f"what lies behind {region.name}"))
        target.region.store_bytes(target.offset, text)
        if isinstance(region, UserMemory):
            _clear_word(target, len(text), nbytes)
        return len(text)

    return probe_read_str


def _clear_word(target: Pointer, length: int, room: int) -> None:
    """Clears the last word of a string: strings of user space are copied by words, and what follows the zero in the
    last one is masked out where there is room for all of it; lib/strncpy_from_user.c."""
    end = -(-length // WORD) * WORD
    if end <= room:
        target.region.store_bytes(target.offset + length, bytes(end - length))


def buffer(value: Value) -> Pointer:
    """Returns the memory that a helper was given; raises Fault when it is no pointer."""
    if isinstance(value, Pointer):
        return value
    raise Fault(f"a helper was given {_describe(value)} for a buffer")


def _source(environment: Environment, space: Space, address: Value, nbytes: int) -> Source:
    if isinstance(address, Pointer):
        errno = _refusal(environment, space, Half.USER if address.region.user else Half.KERNEL)
        if errno is not None:
            return Source(errno=errno) if errno else Source(why="user memory, read by the helper for kernel memory,")
        region = address.region
        if isinstance(region, UserMemory) and not region.there:
            return Source(errno="EFAULT")
        if address.offset >= 0 and address.offset + nbytes <= region.size:
            return Source(memory=address)
        if isinstance(region, UserMemory) and region.ends and 0 <= address.offset <= region.size:
            return Source(memory=address, reachable=region.size - address.offset)
        return Source(why=f"what lies around {address.region.name}")
    if not isinstance(address, int):
        return Source(why=f"memory at {_describe(address)}")
    half = _half(environment, address)
    if environment.rules.reads_by_space and space is Space.EITHER:
        space = Space.USER if address < SURELY_USER else Space.KERNEL
    errno = _refusal(environment, space, half)
    if errno:
        return Source(errno=errno)
    if half is Half.NEITHER or (half is Half.USER and address < LOWEST_MAPPABLE):
        return Source(errno="EFAULT")
    return Source(why=f"memory at {address:#x}")


def _half(environment: Environment, address: int) -> Half:
    lowest, highest = architecture_rules(environment.arch).address_bits
    ones = (1 << highest - lowest + 1) - 1
    return {0: Half.USER, ones: Half.KERNEL}.get(address >> lowest & ones, Half.NEITHER)


def _refusal(environment: Environment, space: Space, half: Half) -> str | None:
    """Returns the errno of a read that is not even tried; "" when the architecture decides, None when it is tried."""
    if space is Space.USER and half is not Half.USER:
        return "EFAULT"
    if space is Space.KERNEL and half is not Half.KERNEL:
        return "ERANGE" if environment.rules.kernel_reads_checked else ""
    return None


def _without_memory(environment: Environment, target: Pointer, nbytes: int, source: Source) -> Value:
    """Records a read that fails, or of which neither the success nor the bytes are known."""
    if not source.errno:
        target.region.blur(target.offset, nbytes, source.why)
        return unknown(f"whether {source.why} could be read")
    if environment.rules.probe_read_clears:
        target.region.store_bytes(target.offset, bytes(nbytes))
    return negative(source.errno)


def _describe(value: Value) -> str:
    return hex(value) if isinstance(value, int) else number(value).why
