# SPDX-License-Identifier: MIT
"""What of an object's types is where in a kernel's: tools/lib/bpf/relo_core.c (7.2).

A path through members is followed in the kernel's type by their names, so that it does not matter where they are. Types
of one name are candidates; anonymous members are looked into.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.objects.btf.ext import CoreKind, CoreRelocation
from harness.objects.btf.reader import Btf, damaged
from harness.objects.btf.types import COMPOSITE, ENUMERATIONS, Kind, Type, essential

FIELDS = frozenset(CoreKind) - frozenset(kind for kind in CoreKind if kind.name.startswith(("TYPE", "ENUMVAL")))
VALUES = frozenset({CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE})
_DEEPEST = 32
_LONGEST = 64
"""Members of a path: BPF_CORE_SPEC_MAX_LEN."""


@dataclass(frozen=True)
class Step:
    """One step of a path: member `index` of type `type`, by its name; without one, an element of an array."""

    type: int
    index: int
    name: str = ""


@dataclass(frozen=True)
class Path:
    """From type `root` by steps to `bits` behind its beginning. Of an enumeration's value the one step is its name."""

    root: int
    steps: tuple[Step, ...] = ()
    bits: int = 0


def local_path(btf: Btf, relocation: CoreRelocation) -> Path:
    """The path as the object has it; Refused when its types have no such path."""
    try:
        indexes = [int(part) for part in relocation.access.split(":")]
    except ValueError:
        raise damaged(f"a path {relocation.access!r} through members is none") from None
    if len(indexes) > _LONGEST or min(indexes) < 0:
        raise damaged(f"a path {relocation.access!r} through members is none")
    root, type = btf.plain(relocation.type)
    if relocation.kind in VALUES:
        if type.kind not in ENUMERATIONS or indexes[0] >= len(type.members):
            raise damaged(f"type {relocation.type} has no value {indexes[0]}")
        return Path(relocation.type, (Step(root, indexes[0], essential(type.members[indexes[0]].name)),))
    if relocation.kind not in FIELDS:
        return Path(relocation.type)
    steps, number = [Step(relocation.type, indexes[0])], relocation.type
    bits = indexes[0] * btf.size(number) * 8
    for index in indexes[1:]:
        number, type = btf.plain(number)
        if type.kind in COMPOSITE and index < len(type.members):
            member = type.members[index]
            if member.name:
                steps.append(Step(number, index, member.name))
            bits, number = bits + member.offset, member.type
        elif type.kind is Kind.ARRAY:
            number, _ = btf.plain(type.word)
            steps.append(Step(number, index))
            bits += index * btf.size(number) * 8
        else:
            raise damaged(f"a path {relocation.access!r} leads out of type {relocation.type}")
    return Path(relocation.type, tuple(steps), bits)


def candidates(local: Btf, path: Path, kernel: Btf) -> list[int]:
    """The kernel's types of the same name and kind. libbpf takes flavours there, too; kernels have none."""
    wanted = local.type(path.root)
    numbers = kernel.named(wanted.essential) if wanted.name else ()
    return [number for number in numbers if _kinds_agree(wanted.kind, kernel.type(number).kind)]


def follow(local: Btf, path: Path, kernel: Btf, number: int, kind: CoreKind) -> Path | None:
    """The same path in the kernel's type `number`; None when there is none: bpf_core_spec_match()."""
    if kind in VALUES:
        _, found = kernel.plain(number)
        for index, member in enumerate(found.members):
            if essential(member.name) == path.steps[0].name:
                return Path(number, (Step(number, index, member.name),))
        return None
    if kind not in FIELDS:
        return Path(number) if compatible(local, path.root, kernel, number) else None
    root, steps, bits = number, [], 0
    for place, step in enumerate(path.steps):
        number, found = kernel.plain(number)
        if step.name:
            wanted = local.type(step.type).members[step.index].type
            reached = _member(kernel, number, step.name, set())
            if reached is None:
                return None
            last, offset = reached
            member = kernel.type(last.type).members[last.index]
            if not _fields_agree(local, wanted, kernel, member.type, 0):
                return None
            steps.append(last)
            bits, number = bits + offset, member.type
        else:
            if place:
                if found.kind is not Kind.ARRAY or (found.elements and step.index >= found.elements):
                    return None
                number, _ = kernel.plain(found.word)
            steps.append(Step(number, step.index))
            bits += step.index * kernel.size(number) * 8
    return Path(root, tuple(steps), bits)


def _member(btf: Btf, number: int, name: str, seen: set[int]) -> tuple[Step, int] | None:
    """Where the member of that name is, and how many bits behind the beginning; anonymous ones are looked into, each
    type once, whatever damaged ones hold."""
    number, type = btf.plain(number)
    if type.kind not in COMPOSITE or number in seen:
        return None
    seen.add(number)
    for index, member in enumerate(type.members):
        if member.name == name:
            return Step(number, index, name), member.offset
        if not member.name and (found := _member(btf, member.type, name, seen)):
            return found[0], found[1] + member.offset
    return None


def _kinds_agree(one: Kind, other: Kind) -> bool:
    return one is other or (one in ENUMERATIONS and other in ENUMERATIONS)


def _fields_agree(local: Btf, one: int, kernel: Btf, other: int, depth: int) -> bool:
    """bpf_core_fields_are_compat(): sizes may differ, kinds may not."""
    (_, ours), (_, theirs) = local.plain(one), kernel.plain(other)
    if ours.kind in COMPOSITE and theirs.kind in COMPOSITE:
        return True
    if not _kinds_agree(ours.kind, theirs.kind) or depth > _DEEPEST:
        return False
    if ours.kind in ENUMERATIONS or ours.kind is Kind.FWD:
        return not ours.name or not theirs.name or ours.essential == theirs.essential
    if ours.kind is Kind.ARRAY:
        return _fields_agree(local, ours.word, kernel, theirs.word, depth + 1)
    return ours.kind in (Kind.PTR, Kind.FLOAT, Kind.INT)


def compatible(local: Btf, one: int, kernel: Btf, other: int, depth: int = 0) -> bool:
    """bpf_core_types_are_compat(): of structures and numbers only the kind counts, names were compared before. Also
    the answer for TYPE_MATCHES, for which libbpf would compare members, too."""
    (_, ours), (_, theirs) = local.plain(one), kernel.plain(other)
    if not _kinds_agree(ours.kind, theirs.kind) or depth > _DEEPEST:
        return False
    if ours.kind in (Kind.PTR, Kind.ARRAY):
        return compatible(local, ours.word, kernel, theirs.word, depth + 1)
    if ours.kind is not Kind.FUNC_PROTO:
        return True
    return (
        len(ours.members) == len(theirs.members)
        and all(
            compatible(local, mine.type, kernel, yours.type, depth + 1)
            for mine, yours in zip(ours.members, theirs.members, strict=True)
        )
        and compatible(local, ours.word, kernel, theirs.word, depth + 1)
    )


def say(btf: Btf, path: Path) -> str:
    """The path as C writes it: `struct task_struct.pid`."""
    text = btf.say(path.root)
    for place, step in enumerate(path.steps):
        text += f".{step.name}" if step.name else f"[{step.index}]" if place or step.index else ""
    return text


def field_type(btf: Btf, path: Path) -> tuple[int, Type]:
    """The type that a path of fields leads to, by number and without what is around it."""
    last = path.steps[-1]
    number = btf.type(last.type).members[last.index].type if last.name else last.type
    return number, btf.plain(number)[1]
