# SPDX-License-Identifier: MIT
"""Map operations as bpf(2) calls."""

from __future__ import annotations

from harness.abi import bpf
from harness.lowering.context import Lowering, Reader, returned
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    Descriptor,
    GetNextKey,
    LookupElement,
    Ref,
    UpdateElement,
)
from harness.script.outcome import Outcome, PerCpu
from hil.agent.results import BatchResult
from hil.agent.steps import Address, Operand, Result


def create(lowering: Lowering, operation: CreateMap) -> Reader:
    attr = lowering.structure(
        bpf.MAP_CREATE,
        {
            "map_type": int(operation.type),
            "key_size": operation.key_size,
            "value_size": operation.value_size,
            "max_entries": operation.max_entries,
            "map_flags": operation.flags,
        },
    )
    descriptor = lowering.call("bpf", bpf.Command.MAP_CREATE, attr, bpf.ATTR_SIZE)
    lowering.opened(operation.name, descriptor)
    return returned(descriptor)


def lookup(lowering: Lowering, operation: LookupElement) -> Reader:
    size = operation.value_size
    if operation.per_cpu:
        size = -(-size // 8) * 8 * lowering.guest.cpus
    value = lowering.builder.alloc(size)
    call = _element(lowering, bpf.Command.MAP_LOOKUP_ELEM, operation.map, operation.key, value=value)
    return _with_data(lowering, call, value, size)


def update(lowering: Lowering, operation: UpdateElement) -> Reader:
    value = _value(lowering, operation.value)
    flags = int(operation.flags)
    return returned(
        _element(lowering, bpf.Command.MAP_UPDATE_ELEM, operation.map, operation.key, value=value, flags=flags)
    )


def delete(lowering: Lowering, operation: DeleteElement) -> Reader:
    return returned(_element(lowering, bpf.Command.MAP_DELETE_ELEM, operation.map, operation.key))


def get_next_key(lowering: Lowering, operation: GetNextKey) -> Reader:
    following = lowering.builder.alloc(operation.key_size)
    call = _element(lowering, bpf.Command.MAP_GET_NEXT_KEY, operation.map, operation.key, next_key=following)
    return _with_data(lowering, call, following, operation.key_size)


def _element(
    lowering: Lowering, command: bpf.Command, of: Descriptor, key: bytes | None, **fields: Operand | int
) -> Result:
    where: Address | int = 0 if key is None else lowering.builder.alloc(key)
    attr = lowering.structure(bpf.ELEMENT, {"map_fd": lowering.operand(of), "key": where, **fields})
    return lowering.call("bpf", command, attr, bpf.ATTR_SIZE)


def _value(lowering: Lowering, value: bytes | Ref | PerCpu) -> Address:
    if isinstance(value, Ref):
        where = lowering.builder.alloc(4)
        lowering.builder.store(where, 4, lowering.operand(value))
        return where
    return lowering.builder.alloc(value.on(lowering.guest.cpus) if isinstance(value, PerCpu) else value)


def _with_data(lowering: Lowering, call: Result, address: Address, size: int) -> Reader:
    content = lowering.builder.read(address, size)

    def read(results: BatchResult) -> Outcome:
        result = results.done(call)
        if result.errno:
            return Outcome(errno=result.error)
        return Outcome(value=result.value, data=results.done(content).data)

    return read
