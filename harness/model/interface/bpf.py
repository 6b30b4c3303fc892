# SPDX-License-Identifier: MIT
"""bpf(2): maps and programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.abi.bpf import Command
from harness.model.errno import Errno
from harness.model.interface import load, permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Event, LoadedProgram
from harness.model.maps import ArrayMap, EventArrayMap, FileArrayMap, Map, ProgramArrayMap, StackTraceMap, allocate
from harness.model.maps.array import index_of
from harness.model.maps.elements import ElementMap, Shape
from harness.model.maps.hash import HashMap
from harness.model.maps.limits import Unaffordable
from harness.model.memory import Region
from harness.model.rules import OTHER_COMMAND
from harness.model.unpredictable import Bounded, Settled, Unbounded, Unpredictable
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    ReadElements,
    ReadRuns,
    Ref,
    UpdateElement,
)
from harness.script.outcome import (
    ANY,
    DESCRIPTOR,
    Addresses,
    Bytes,
    Either,
    OneOf,
    Outcome,
    PerCpu,
    Piece,
    Prediction,
    Unknown,
)
from harness.script.reason import Gap, gap_of


def create_map(kernel: Kernel, operation: CreateMap) -> Outcome:
    """Makes a map; raises Settled where only the kernel's answer shows that it has the memory."""
    _check_capability(kernel, operation)
    try:
        kernel.names.open(operation.name, make_map(kernel, operation))
    except Unaffordable as doubt:
        if kernel.seen is None or kernel.seen.errno is not None:
            raise
        kernel.names.open(operation.name, make_map(kernel, operation, affords=True))
        raise Settled(doubt.why) from doubt
    return Outcome(value=DESCRIPTOR)


def make_map(kernel: Kernel, wanted: CreateMap, *, affords: bool = False) -> Map:
    """Returns the map; its memory is counted last."""
    permissions.seed(kernel, wanted)
    environment = replace(kernel.environment, affords=True) if affords else kernel.environment
    made = allocate(environment, wanted)
    permissions.command(kernel, "CreateMap")
    permissions.map_type(kernel, wanted.type)
    permissions.charge(kernel)
    return made


def lookup(kernel: Kernel, operation: LookupElement) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    permissions.read_map(map)
    key = _key(operation.key, map)
    room = Shape(operation.value_size, kernel.environment.cpus if operation.per_cpu else None).in_calls
    try:
        value = map.read(key)
    except Unpredictable as unpredictable:
        _check_room(room, map.size_in_calls, "value")
        if gap_of(unpredictable.why) is None and isinstance(map, ElementMap):
            raise Bounded(unpredictable.why, _any_value(map, key)) from unpredictable
        raise
    if value is None:
        raise Errno("ENOENT")
    _check_room(room, map.size_in_calls, "value")
    if room > map.size_in_calls:
        raise Settled("what lies behind the value in a buffer that is larger")
    return Outcome(value=0, data=Addresses(map.value_size) if isinstance(map, StackTraceMap) else value.prediction())


def _any_value(map: ElementMap, key: bytes) -> Prediction:
    """Returns what is known of a lookup where the map's content is not: arrays have each of their elements, and of
    other maps nobody knows which they have."""
    there, missing = Outcome(value=0, data=ANY), Outcome(errno="ENOENT")
    if isinstance(map, ArrayMap):
        return there if index_of(key) < map.max_entries else missing
    return Either((there, missing))


def update(kernel: Kernel, operation: UpdateElement) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    permissions.write_map(map)
    key = _key(operation.key, map)
    if isinstance(map, FileArrayMap):
        return _store_file(kernel, map, key, operation)
    value = _exactly(_given(kernel, operation.value), map.size_given(int(operation.flags)), "value")
    map.write(key, Region("the caller's value", len(value), value), int(operation.flags), kernel.environment.cpu)
    return Outcome(value=0)


def delete(kernel: Kernel, operation: DeleteElement) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    permissions.write_map(map)
    key = _key(operation.key, map)
    if isinstance(map, FileArrayMap):
        kernel.names.drop(map.take(key))
    else:
        map.delete(key)
    return Outcome(value=0)


def get_next_key(kernel: Kernel, operation: GetNextKey) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    permissions.read_map(map)
    key = None if operation.key is None else _key(operation.key, map)
    try:
        keys = map.following(key)
    except Unpredictable:
        _check_room(operation.key_size, map.key_size, "key")
        raise
    _check_room(operation.key_size, map.key_size, "key")
    if operation.key_size > map.key_size:
        raise Settled("what lies behind the key in a buffer that is larger")
    return Outcome(value=0, data=keys[0] if len(keys) == 1 else OneOf(keys))


def read_elements(kernel: Kernel, operation: ReadElements) -> Outcome:
    """Returns every element of a hash map, as far as all of them are read; errors as those of the two commands."""
    _check_capability(kernel, GetNextKey(operation.map, None, operation.key_size))
    map = kernel.names.content(operation.map, Map, "EINVAL")
    permissions.read_map(map)
    if not isinstance(map, HashMap) or map.per_cpu or operation.per_cpu:
        raise Unpredictable("what all elements of such a map are", Gap.MAPS)
    if (operation.key_size, operation.value_size) != (map.key_size, map.value_size):
        raise Unbounded("what lies behind a key or a value in buffers of another size")
    stored = map.stored()
    if len(stored) > operation.most:
        raise Unpredictable("which elements are read, of more than are asked for")
    content = b""
    unknown: tuple[Piece, ...] = ()
    for key, region in stored:
        value = region.prediction()
        content += key
        if isinstance(value, Bytes):
            unknown += tuple(replace(piece, offset=len(content) + piece.offset) for piece in value.unknown)
            content += value.content
        elif isinstance(value, bytes):
            content += value
        else:
            raise Unpredictable("values that are no plain bytes")
    return Outcome(value=len(stored), data=Bytes(content, unknown) if unknown else content)


def load_program(kernel: Kernel, operation: LoadProgram) -> Outcome:
    _check_capability(kernel, operation)
    permissions.command(kernel, "LoadProgram")
    return load.load(kernel, operation)


def read_runs(kernel: Kernel, operation: ReadRuns) -> Outcome:
    """Returns no more than that there is a number; raises Errno EINVAL where there is no such command, EBADFD (not
    EBADF) for what is no open descriptor.

    bpf_obj_get_info_by_fd() and bpf_prog_get_info_by_fd(), kernel/bpf/syscall.c."""
    permissions.entry(kernel, OTHER_COMMAND)
    if kernel.rules.first_unknown_command <= Command.OBJ_GET_INFO_BY_FD:
        raise Errno("EINVAL")
    try:
        file = kernel.names.file(operation.program)
    except Errno as error:
        raise Errno("EBADFD") from error
    if not isinstance(file.content, LoadedProgram):
        raise Unpredictable("what there is to say of something that is no program")
    if kernel.counts_runs:
        raise Unpredictable("how often anybody made the kernel run the program")
    missed = Bytes(bytes(8), (Piece(0, 8, Unknown("how many runs were left out", least=0)),))
    return Outcome(value=Unknown("how often the program ran while others had runs counted", least=0), data=missed)


def _store_file(kernel: Kernel, map: FileArrayMap[Any], key: bytes, operation: UpdateElement) -> Outcome:
    """bpf_fd_array_map_update_elem(): raises Errno EINVAL, E2BIG, EBADF."""
    map.check_update(key, int(operation.flags))
    value = operation.value
    if isinstance(value, Ref):
        file = kernel.names.file(value)
    else:
        number = int.from_bytes(_exactly(_given(kernel, value), map.value_size, "value"), "little")
        file = kernel.names.file(number - (1 << 32) if number >> 31 else number)
    match map:
        case EventArrayMap():  # perf_event_fd_array_get_ptr()
            if not isinstance(file.content, Event):
                raise Errno("EBADF")
        case ProgramArrayMap():  # prog_fd_array_get_ptr()
            if not isinstance(file.content, LoadedProgram):
                raise Errno("EINVAL")
            map.admit(file.content.type)
    file.references += 1
    if former := map.put(key, file, file.content):
        kernel.names.drop(former)
    return Outcome(value=0)


def _check_room(room: int, size: int, what: str) -> None:
    """Raises Unbounded where the kernel writes more than the caller has room for: over whatever the script keeps behind
    it."""
    if room < size:
        raise Unbounded(f"what the kernel writes over behind a buffer that is too small for the {what}")


def _key(key: bytes | None, map: Map) -> bytes:
    """__bpf_copy_key(): raises Errno EINVAL for a key where there is none, EFAULT for no key where there is one."""
    if map.key_size == 0 and key is not None:
        raise Errno("EINVAL")
    if map.key_size and key is None:
        raise Errno("EFAULT")
    return _exactly(key or b"", map.key_size, "key")


def _check_capability(kernel: Kernel, operation: object) -> None:
    """Checks SYS-01, which comes before anything else."""
    permissions.entry(kernel, type(operation).__name__)


def _given(kernel: Kernel, value: bytes | Ref | PerCpu) -> bytes:
    """Returns the bytes at the caller's address."""
    if isinstance(value, Ref):
        raise Unpredictable("the number of a descriptor as a value")
    return value.on(kernel.environment.cpus) if isinstance(value, PerCpu) else value


def _exactly(content: bytes, size: int, what: str) -> bytes:
    """Returns the first `size` bytes at the caller's address; the model does not look at what lies behind them."""
    if len(content) < size:
        raise Unpredictable(f"the kernel reads {size} bytes of {what}, of which the script gives {len(content)}")
    return content[:size]
