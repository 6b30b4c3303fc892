"""bpf(2): maps and programs."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.interface import load
from harness.model.interface.kernel import Kernel
from harness.model.maps import Map, allocate
from harness.model.memory import Region
from harness.model.value import Unpredictable
from harness.script.operations import CreateMap, DeleteElement, LoadProgram, LookupElement, NextKey, UpdateElement
from harness.script.outcome import DESCRIPTOR, OneOf, Outcome


def create_map(kernel: Kernel, operation: CreateMap) -> Outcome:
    _check_capability(kernel, operation)
    kernel.names.open(operation.name, allocate(kernel.rules.maps, operation))
    return Outcome(value=DESCRIPTOR)


def lookup(kernel: Kernel, operation: LookupElement) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    value = map.lookup(_exactly(operation.key, map.key_size, "key"))
    if value is None:
        raise Errno("ENOENT")
    if operation.value_size != map.value_size:
        raise Unpredictable("the buffer for the value is not of the value's size")
    return Outcome(value=0, data=value.prediction())


def update(kernel: Kernel, operation: UpdateElement) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    key = _exactly(operation.key, map.key_size, "key")
    value = _exactly(operation.value, map.value_size, "value")
    map.update(key, Region("the caller's value", len(value), value), 0, int(operation.flags))
    return Outcome(value=0)


def delete(kernel: Kernel, operation: DeleteElement) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    map.delete(_exactly(operation.key, map.key_size, "key"))
    return Outcome(value=0)


def next_key(kernel: Kernel, operation: NextKey) -> Outcome:
    _check_capability(kernel, operation)
    map = kernel.names.content(operation.map, Map, "EINVAL")
    key = None if operation.key is None else _exactly(operation.key, map.key_size, "key")
    keys = map.following(key)
    if operation.key_size != map.key_size:
        raise Unpredictable("the buffer for the key is not of the key's size")
    return Outcome(value=0, data=keys[0] if len(keys) == 1 else OneOf(keys))


def load_program(kernel: Kernel, operation: LoadProgram) -> Outcome:
    _check_capability(kernel, operation)
    return load.load(kernel, operation)


def _check_capability(kernel: Kernel, operation: object) -> None:
    """SYS-01: before anything else."""
    if not kernel.environment.privileged and type(operation).__name__ in kernel.rules.privileged_commands:
        raise Errno("EPERM")


def _exactly(content: bytes, size: int, what: str) -> bytes:
    """The first `size` bytes at the caller's address; what lies behind them is not the model's business."""
    if len(content) < size:
        raise Unpredictable(f"the kernel reads {size} bytes of {what}, of which the script gives {len(content)}")
    return content[:size]
