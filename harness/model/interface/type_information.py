# SPDX-License-Identifier: MIT
"""BPF_BTF_LOAD of types of functions as compilers of C make them: btf_parse() and the check_meta of each kind,
kernel/bpf/btf.c (5.10, 7.2)."""

from __future__ import annotations

import re

from harness.abi import btf as abi
from harness.abi.btf import Kind
from harness.model.errno import Errno
from harness.model.interface import permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import PlainFile
from harness.model.unpredictable import Unpredictable
from harness.objects.btf.reader import Btf
from harness.objects.btf.sanitising import known
from harness.objects.btf.types import Type
from harness.objects.reasons import Refused
from harness.script.operations import Buffer, Part, RawBpf
from harness.script.outcome import DESCRIPTOR, Outcome
from harness.script.reason import Gap

_NAME = re.compile(abi.NAME, re.ASCII)
_NAMED = frozenset({Kind.TYPEDEF, Kind.FWD, Kind.FUNC})
_PLAIN = frozenset({Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, *_NAMED})
"""The kinds whose names are identifiers; those of `_NAMED` must have one."""


def load(kernel: Kernel, operation: RawBpf) -> Outcome:
    """Returns a descriptor where every type is one that the kernel takes; raises Unpredictable for others, of which the
    kernel has more to ask than is asked here."""
    if not kernel.rules.function_types:
        raise Unpredictable("what a kernel takes that knows no types of functions", Gap.INPUT)
    if not permissions.bpf_capable(kernel):
        raise Errno("EPERM")
    match operation.parts:
        case (Part(0, 8, Buffer(content)), Part(16, 4, size)) if size == len(content) and operation.name is not None:
            pass
        case _:
            raise Unpredictable("what other fields of BPF_BTF_LOAD mean", Gap.INPUT)
    try:
        types = Btf(content)
        fine = all(_is_taken(kernel, types, number) for number in range(1, len(types)))
    except Refused:
        fine = False
    if not fine:
        raise Unpredictable("whether the kernel takes these types", Gap.INPUT)
    kernel.names.open(operation.name, PlainFile("type information"))
    return Outcome(value=DESCRIPTOR)


def _is_taken(kernel: Kernel, types: Btf, number: int) -> bool:
    """Returns whether a type is surely one that the kernel takes."""
    type = types.type(number)
    if known(type, kernel.rules.release) is not type or type.kind in (Kind.VAR, Kind.DATASEC, Kind.DECL_TAG):
        return False
    if type.kind in _PLAIN and not _NAME.fullmatch(type.name) and (type.name or type.kind in _NAMED):
        return False
    if any(one.name and not _NAME.fullmatch(one.name) for one in type.members):
        return False
    return _fits(types, type)


def _fits(types: Btf, type: Type) -> bool:
    match type.kind:
        case Kind.INT:
            return type.size in (1, 2, 4, 8, 16) and type.bits == 8 * (type.size or 0)
        case Kind.ENUM | Kind.ENUM64:
            return type.size in (1, 2, 4, 8) and all(one.name for one in type.members)
        case Kind.ARRAY:
            types.size(type.word)
        case Kind.FUNC:
            proto = types.type(type.word)
            return proto.kind is Kind.FUNC_PROTO and all(one.name or not one.type for one in proto.members)
        case Kind.FUNC_PROTO:
            return all(not one.type or types.size(one.type) is not None for one in type.members) and (
                not type.word or types.size(type.word) is not None
            )
        case Kind.STRUCT | Kind.UNION:
            whole = 8 * (type.size or 0)
            return all(one.offset + (one.bits or 8 * types.size(one.type)) <= whole for one in type.members)
        case Kind.PTR | Kind.CONST | Kind.VOLATILE | Kind.RESTRICT | Kind.TYPEDEF | Kind.TYPE_TAG:
            types.plain(type.word)
    return True
