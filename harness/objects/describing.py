# SPDX-License-Identifier: MIT
"""An object file as JSON and as rows of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from harness.objects.object_file import ObjectFile, ObjectMap, ObjectProgram
from harness.objects.reasons import Refusal
from harness.objects.twins import twins

Json = dict[str, Any]


def refused(file: ObjectFile) -> tuple[Refusal, ...]:
    """All that is refused, of the object and of its programs."""
    return (*file.refusals, *(program.refusal for program in file.programs if program.refusal))


def to_json(file: ObjectFile) -> Json:
    """Everything that the tables tell, and each relocation that a kernel decides."""
    return {
        "byte_order": file.byte_order,
        "license": file.license,
        "version": file.version,
        "sections": [{"name": one.name, "is": one.role, "bytes": one.nbytes} for one in file.sections],
        "programs": [_program(one) for one in file.programs],
        "twins": [[one.name for one in group] for group in twins(file.programs)],
        "maps": [_map(one) for one in file.maps],
        "externs": [
            {"name": one.name, "type": one.type, "weak": one.weak, "offset": one.offset, "function": one.function}
            for one in file.externs
        ],
        "refusals": [refusal_json(one) for one in file.refusals],
    }


def _program(program: ObjectProgram) -> Json:
    said = program.meaning
    return {
        "name": program.name,
        "section": program.section,
        "type": said.type.name.lower() if said else None,
        "mechanism": said.mechanism if said else None,
        "target": said.target if said else None,
        "optional": bool(said and said.optional),
        "instructions": len(program.program.instructions),
        "functions": [name for _, name in program.functions],
        "maps": sorted({reference.name for _, reference in program.program.maps}),
        "needs": [reason.word for reason in program.needs],
        "pending": [
            {
                "reason": one.reason.word,
                "instruction": one.instruction,
                "what": one.what,
                "line": str(line) if (line := program.line(one.instruction)) else None,
            }
            for one in program.pending
        ],
        "refusal": refusal_json(program.refusal) if program.refusal else None,
    }


def _map(map: ObjectMap) -> Json:
    return {
        "name": map.name,
        "type": map.type_name,
        "origin": map.origin.value,
        "key_size": map.key_size,
        "value_size": map.value_size,
        "max_entries": map.max_entries,
        "flags": map.flags,
        "key": map.key,
        "value": map.value,
        "content": map.content.hex() if map.content and any(map.content) else None,
        "inner": _map(map.inner) if map.inner else None,
        "slots": [list(slot) for slot in map.slots],
        **({"told": dict(map.told)} if map.told else {}),
    }


def refusal_json(refusal: Refusal) -> Json:
    """One refusal, with its reason as a word and as a sentence."""
    return {
        "reason": refusal.reason.word,
        "because": refusal.reason.value,
        "what": refusal.what,
        "section": refusal.section or None,
        "instruction": refusal.instruction,
        "line": str(refusal.line) if refusal.line else None,
    }


PROGRAM_HEADINGS = ("program", "section", "type", "instructions", "needs of a kernel")
MAP_HEADINGS = ("map", "type", "key", "value", "entries", "flags", "defined in", "")


def program_rows(file: ObjectFile) -> Iterator[tuple[str, ...]]:
    """By `PROGRAM_HEADINGS`."""
    for program in file.programs:
        type = program.meaning.type.name.lower() if program.meaning else "not told"
        needs = Counter(pending.reason.word for pending in program.pending)
        told = [f"{word} ({needs[word]})" if word in needs else word for word in (one.word for one in program.needs)]
        size = "-" if program.refusal else str(len(program.program.instructions))
        yield program.name, program.section, type, size, "refused" if program.refusal else ", ".join(told) or "nothing"


def map_rows(file: ObjectFile) -> Iterator[tuple[str, ...]]:
    """By `MAP_HEADINGS`."""
    for map in file.maps:
        more = [f"{name} {value}" for name, value in map.told.items()]
        if map.inner:
            sizes = f"{map.inner.key_size}:{map.inner.value_size}:{map.inner.max_entries}"
            more.append(f"holds {map.inner.type_name}:{sizes}")
        if map.slots:
            more.append(f"with {', '.join(name for _, name in map.slots if name)}")
        key, value = (_sized(*one) for one in ((map.key_size, map.key), (map.value_size, map.value)))
        entries = str(map.max_entries) if map.max_entries else "as many as CPUs" if map.create(2).max_entries else "0"
        yield map.name, map.type_name, key, value, entries, f"{map.flags:#x}", map.origin.value, "; ".join(more)


def _sized(size: int, type: str) -> str:
    return f"{size} ({type})" if type else str(size)
