# SPDX-License-Identifier: MIT
"""bpf(2) with raw attributes: the checks before a command, and commands whose fields the executor did not fill in.

kernel/bpf/syscall.c: sys_bpf(), bpf_check_uarg_tail_zero(), and the commands' functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.abi.bpf import F_LOCK, Command, MapFlag
from harness.isa.instruction import decode
from harness.model.errno import Errno
from harness.model.interface import load, permissions, type_information
from harness.model.interface.bpf import make_map
from harness.model.interface.kernel import Kernel
from harness.model.interface.verification import LOG_OF_AN_INSTRUCTION
from harness.model.maps import Map
from harness.model.memory import Region
from harness.model.rules import OTHER_COMMAND, LogRule
from harness.model.unpredictable import Unbounded, Unpredictable
from harness.script import logs
from harness.script.operations import Buffer, CreateMap, LoadProgram, Part, Program, RawBpf, Ref
from harness.script.outcome import DESCRIPTOR, Outcome
from harness.script.reason import Gap
from harness.script.structures import Filled

LAST_FIELDS: Mapping[int, int] = {
    Command.MAP_CREATE: 16,
    Command.MAP_LOOKUP_ELEM: 24,
    Command.MAP_UPDATE_ELEM: 32,
    Command.MAP_DELETE_ELEM: 16,
    Command.MAP_GET_NEXT_KEY: 24,
    Command.PROG_LOAD: 44,
    Command.MAP_FREEZE: 4,
}
"""The end of each command's fields in 4.1 (SYS-20 to SYS-25), or in the first release that has it; the rest must be
zero."""
NAMES: Mapping[int, str] = {
    Command.MAP_CREATE: "CreateMap",
    Command.MAP_LOOKUP_ELEM: "LookupElement",
    Command.MAP_UPDATE_ELEM: "UpdateElement",
    Command.MAP_DELETE_ELEM: "DeleteElement",
    Command.MAP_GET_NEXT_KEY: "GetNextKey",
    Command.PROG_LOAD: "LoadProgram",
}
"""The operations of scripts that use the same commands."""
MOST_LICENSE = 127
"""The bytes of the licence that bpf_prog_load() reads before the NUL."""
SURELY_UNMAPPED = 4096
"""A limit below which no address is mapped: vm.mmap_min_addr is no smaller anywhere."""


@dataclass(frozen=True)
class Attr:
    """The parts of union bpf_attr by offset, and the bytes of those that are plain numbers."""

    parts: Mapping[int, Part]
    image: bytes

    def number(self, offset: int, size: int = 4) -> int:
        """Returns a field that is a number; raises Unpredictable where it is a descriptor or an address, which only the
        guest knows."""
        if any(part.offset < offset + size and part.offset + part.size > offset for part in self._named()):
            raise Unpredictable("which number a name or an address is")
        return int.from_bytes(self.image[offset : offset + size], "little")

    def given(self, offset: int) -> bool:
        """Returns whether the field is anything but zero."""
        part = self.parts.get(offset)
        return (part is not None and not isinstance(part.value, int)) or self.number(offset, 8) != 0

    def read(self, offset: int, size: int) -> bytes:
        """Returns what the kernel copies from an address that the caller passed; raises Errno EFAULT where memory ends
        before."""
        buffer = self._buffer(offset)
        if len(buffer.content) >= size:
            return buffer.content[:size]
        if buffer.guarded:
            raise Errno("EFAULT")
        raise Unpredictable("what lies behind the caller's buffer")

    def text(self, offset: int, most: int) -> bytes:
        """Returns a text at such an address, up to its NUL: strncpy_from_user()."""
        buffer = self._buffer(offset)
        content, end, _ = buffer.content[:most].partition(b"\0")
        if buffer.guarded and not end and len(content) < most:
            raise Errno("EFAULT")
        return content

    def write(self, offset: int, size: int) -> None:
        """Stores `size` bytes at an address that the caller passed: raises Errno EFAULT where memory ends before;
        Unbounded where it does not, but the buffer does: what the script keeps behind it is overwritten."""
        buffer = self._buffer(offset)
        if len(buffer.content) >= size:
            return
        if buffer.guarded:
            raise Errno("EFAULT")
        raise Unbounded("what the kernel writes over behind a buffer that is too small")

    def room(self, offset: int) -> int:
        """Returns how many bytes the caller has there; raises Errno EFAULT for none."""
        return len(self._buffer(offset).content)

    def _buffer(self, offset: int) -> Buffer:
        """Returns the buffer at an address that the caller passed; raises Errno EFAULT where nothing can be."""
        part = self.parts.get(offset)
        if part is not None and isinstance(part.value, Buffer):
            return part.value
        address = self.number(offset, 8)
        if address < SURELY_UNMAPPED or address >> 63:
            raise Errno("EFAULT")
        raise Unpredictable(f"what lies at {address:#x}")

    def ends_at(self, last: int) -> bool:
        """Returns whether everything from `last` on is zero."""
        if any(part.offset < last < part.offset + part.size for part in self._named()):
            raise Unpredictable("which number a name or an address is")
        return not any(self.image[last:]) and all(part.offset < last for part in self._named())

    def _named(self) -> Iterator[Part]:
        """Yields the parts that are no plain numbers."""
        return (part for part in self.parts.values() if not isinstance(part.value, int))


def raw_bpf(kernel: Kernel, operation: RawBpf) -> Outcome:
    """Carries out a raw call: first the checks in the order of SYS-02, then the command's own."""
    permissions.entry(kernel, NAMES.get(operation.command, OTHER_COMMAND))
    attr = _copied(kernel, operation)
    if not 0 <= operation.command < kernel.rules.first_unknown_command:
        raise Errno("EINVAL")
    if operation.command == Command.MAP_FREEZE and not kernel.rules.maps.freezes:
        raise Errno("EINVAL")
    if operation.command == Command.BTF_LOAD:
        return type_information.load(kernel, operation)
    if operation.command not in _COMMANDS:
        kernel.counts_runs |= operation.command == Command.ENABLE_STATS
        raise Unpredictable(f"what command {operation.command} does", Gap.INPUT)
    if not attr.ends_at(LAST_FIELDS[operation.command]):
        if operation.command in kernel.rules.grown_commands:
            raise Unpredictable(f"what later fields of command {operation.command} mean")
        raise Errno("EINVAL")
    return _COMMANDS[operation.command](kernel, operation, attr)


def _copied(kernel: Kernel, operation: RawBpf) -> Attr:
    """Returns the union as the kernel sees it; raises Errno EFAULT, E2BIG."""
    size, known = operation.size, kernel.rules.attr_size
    there = _image(operation)
    if kernel.rules.attr_address_first and operation.address is not None and operation.address >> 63:
        raise Errno("EFAULT")
    if any(not isinstance(part.value, int) and part.offset + part.size > known for part in operation.parts):
        raise Unpredictable("which number a name or an address is")
    if size > kernel.environment.page_size or any(there[known:size]):
        raise Errno("E2BIG")
    if len(there) < size:
        raise Errno("EFAULT")
    return Attr({part.offset: part for part in operation.parts}, there[: min(size, known)].ljust(known, b"\0"))


def _image(operation: RawBpf) -> bytes:
    """Returns the bytes at the caller's address, as many as can be read."""
    if operation.address is not None:
        if operation.address < SURELY_UNMAPPED or operation.address >> 63:
            return b""
        raise Unpredictable(f"what lies at {operation.address:#x}")
    return Filled(operation.parts, operation.nbytes).image


def _create_map(kernel: Kernel, operation: RawBpf, attr: Attr) -> Outcome:
    wanted = CreateMap(operation.name or "", *(attr.number(offset) for offset in (0, 4, 8, 12, 16)))
    made = make_map(kernel, wanted)
    if operation.name is not None:
        kernel.names.open(operation.name, made)
    return Outcome(value=DESCRIPTOR)


def _map(kernel: Kernel, attr: Attr) -> Map:
    part = attr.parts.get(0)
    if part is not None and isinstance(part.value, Ref):
        return kernel.names.content(part.value, Map, "EINVAL")
    number = attr.number(0)
    return kernel.names.content(number - (1 << 32) if number >> 31 else number, Map, "EINVAL")


def _key(map: Map, attr: Attr) -> bytes:
    """__bpf_copy_key(): raises Errno EINVAL for a key where there is none, EFAULT for no key where there is one."""
    if map.key_size == 0:
        if attr.given(8):
            raise Errno("EINVAL")
        return b""
    return attr.read(8, map.key_size)


def _lookup(kernel: Kernel, _: RawBpf, attr: Attr) -> Outcome:
    map = _map(kernel, attr)
    permissions.read_map(map)
    if map.read(_key(map, attr)) is None:
        raise Errno("ENOENT")
    attr.write(16, map.size_in_calls)
    return Outcome(value=0)


def _update(kernel: Kernel, _: RawBpf, attr: Attr) -> Outcome:
    map = _map(kernel, attr)
    permissions.write_map(map)
    flags = attr.number(24, 8)
    if flags & F_LOCK and kernel.rules.maps.lock_flag:
        raise Errno("EINVAL")  # there is no lock in our values (MAP-25)
    key = _key(map, attr)
    value = attr.read(16, map.size_given(flags))
    map.write(key, Region("the caller's value", len(value), value), flags, kernel.environment.cpu)
    return Outcome(value=0)


def _delete(kernel: Kernel, _: RawBpf, attr: Attr) -> Outcome:
    map = _map(kernel, attr)
    permissions.write_map(map)
    map.delete(_key(map, attr))
    return Outcome(value=0)


def _next_key(kernel: Kernel, _: RawBpf, attr: Attr) -> Outcome:
    map = _map(kernel, attr)
    permissions.read_map(map)
    map.following(_key(map, attr) if attr.given(8) else None)
    attr.write(16, map.key_size)
    return Outcome(value=0)


def _freeze(kernel: Kernel, _: RawBpf, attr: Attr) -> Outcome:
    """map_freeze(): from now on no system call writes to the map; raises Errno EBUSY, EPERM, EBADF, EINVAL."""
    map = _map(kernel, attr)
    if map.flags & MapFlag.RDONLY:
        raise Unpredictable("whether this release freezes a map that the descriptor may not write to", Gap.MAPS)
    if map.flags & MapFlag.MMAPABLE and not map.flags & MapFlag.RDONLY_PROG:
        raise Unpredictable("whether the map is mapped into memory that can be written", Gap.MAPS)
    if map.frozen:
        raise Errno("EBUSY")
    if not permissions.bpf_capable(kernel):
        raise Errno("EPERM")
    map.frozen = True
    return Outcome(value=0)


def _load(kernel: Kernel, operation: RawBpf, attr: Attr) -> Outcome:
    """Loads a program, with the checks in the order of LOAD-01; those that load.py has are made there."""
    if why := logs.withheld(operation, kernel.environment.era):
        raise Unpredictable(f"the call is not made: {why.why}")
    permissions.command(kernel, "LoadProgram")
    rules, count = kernel.rules, attr.number(4)
    licence = attr.text(16, MOST_LICENSE) if rules.license_first else b""
    if count > permissions.instruction_limit(kernel):
        raise Errno(rules.too_many_instructions)
    if count == 0 and rules.empty_first:
        raise Errno(rules.no_instructions)
    wanted = LoadProgram(operation.name or "", attr.number(0), Program(()), kern_version=attr.number(40))
    load.check_before_code(kernel, wanted)
    code = attr.read(8, 8 * count)
    licence = attr.text(16, MOST_LICENSE)
    wanted = replace(wanted, program=Program(decode(code)), license=licence.decode("latin-1"))
    load.check(kernel, wanted)
    _check_log(rules.log, attr)
    if attr.given(32):
        if attr.room(32) < attr.number(28):
            raise Unbounded("whether the log ends in its buffer")
        if attr.number(28) < LOG_OF_AN_INSTRUCTION * (1 + count):
            raise Unpredictable("whether the log fits")
    return load.load(kernel, wanted)


def _check_log(rule: LogRule, attr: Attr) -> None:
    """Checks LOG-02: level, size and buffer, in later kernels the last two together."""
    level, size, buffer = attr.number(24), attr.number(28), attr.given(32)
    if not level and not size and not buffer:
        return
    sane = level & ~rule.levels == 0 and size <= rule.most_size and (level or not buffer)
    together = bool(size) == buffer if rule.level_alone else bool(level) and buffer and size >= rule.least_size
    if not sane or not together:
        raise Errno("EINVAL")


_COMMANDS: dict[int, Callable[[Kernel, RawBpf, Attr], Outcome]] = {
    Command.MAP_CREATE: _create_map,
    Command.MAP_LOOKUP_ELEM: _lookup,
    Command.MAP_UPDATE_ELEM: _update,
    Command.MAP_DELETE_ELEM: _delete,
    Command.MAP_GET_NEXT_KEY: _next_key,
    Command.PROG_LOAD: _load,
    Command.MAP_FREEZE: _freeze,
}
