# SPDX-License-Identifier: MIT
"""Map operations as bpf(2) calls."""

from __future__ import annotations

from contextlib import ExitStack

from harness.abi import bpf
from harness.lowering.context import Lowering, Reader, returned
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    Descriptor,
    GetNextKey,
    LookupElement,
    ReadElements,
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


def read_elements(lowering: Lowering, operation: ReadElements) -> Reader:
    builder = lowering.builder
    size = -(-operation.value_size // 8) * 8 * lowering.guest.cpus if operation.per_cpu else operation.value_size
    rows: list[tuple[Result, Result, Result, Result]] = []
    before: Address | int = 0
    with ExitStack() as nested:
        for _ in range(operation.most):
            key, value = builder.alloc(operation.key_size), builder.alloc(size)
            following = _at(lowering, bpf.Command.MAP_GET_NEXT_KEY, operation.map, before, next_key=key)
            nested.enter_context(builder.unless_failed(following))
            looked = _at(lowering, bpf.Command.MAP_LOOKUP_ELEM, operation.map, key, value=value)
            rows.append((following, looked, builder.read(key, operation.key_size), builder.read(value, size)))
            before = key

    def read(results: BatchResult) -> Outcome:
        found: dict[bytes, bytes] = {}
        for following, looked, key, value in rows:
            error = results.done(following).error
            if error and error != "ENOENT":
                return Outcome(errno=error)
            if error:
                break
            if not results.done(looked).errno:  # else it went meanwhile
                found[results.done(key).data] = results.done(value).data
        return Outcome(value=len(found), data=b"".join(key + found[key] for key in sorted(found)))

    return read


def _element(
    lowering: Lowering, command: bpf.Command, of: Descriptor, key: bytes | None, **fields: Operand | int
) -> Result:
    return _at(lowering, command, of, 0 if key is None else lowering.builder.alloc(key), **fields)


def _at(
    lowering: Lowering, command: bpf.Command, of: Descriptor, key: Address | int, **fields: Operand | int
) -> Result:
    attr = lowering.structure(bpf.ELEMENT, {"map_fd": lowering.operand(of), "key": key, **fields})
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
