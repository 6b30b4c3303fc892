# SPDX-License-Identifier: MIT
"""What of an observation says the same on every lane: the parts that are decided by script and kernel alone.

Descriptors, ids, kernel addresses and times differ between runs by nature. What is left is a pattern, which
`harness.script.matching.admits` holds against that of another lane.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from harness.abi.bpf import MapType
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    GetProcessId,
    LoadProgram,
    LookupElement,
    Operation,
    ReadClock,
    ReadCount,
    ReadElements,
    ReadProfile,
    ReadRing,
    ReadRingBuffer,
    ReadRuns,
    ReadSetting,
    ReadTrace,
    Ref,
    RunSocketFilter,
    RunThreads,
    Script,
    UpdateElement,
)
from harness.script.outcome import ANY, KERNEL_ADDRESS, NOT_CARRIED_OUT, Anything, Bytes, Outcome, Piece, Record


@dataclass(frozen=True)
class Said:
    """Which leaves of an outcome count, besides whether the operation succeeded or its errno; `because` says why these
    and no others."""

    because: str
    value: bool = False
    data: bool = False
    records: bool = False


NUMBERED = Said("what it returns is a descriptor's, a process's or another number that nobody chose")
SAID: dict[type, Said | None] = {
    LookupElement: Said("the value is what programs and system calls put there", value=True, data=True),
    UpdateElement: Said("0 is all it returns", value=True),
    DeleteElement: Said("0 is all it returns", value=True),
    GetNextKey: Said("hash maps have no order of keys; whether there is another one counts", value=True),
    ReadElements: Said("keys and values are what programs and system calls put there", value=True, data=True),
    RunSocketFilter: Said("how many bytes arrive is the program's verdict", value=True),
    ReadCount: Said("hits are counted one by one", value=True),
    ReadRuns: None,  # others make the kernel run the program, too
    ReadProfile: None,  # others reach the functions, too
    ReadRing: Said(
        "records are as many as hits, with what programs put in; time, thread and address are not", records=True
    ),
    ReadRingBuffer: Said("records are what programs put there", records=True),
    RunThreads: None,  # in which order threads are served is no kernel's choice
    ReadClock: None,  # time
    ReadTrace: None,  # times and threads, and what others printed
    ReadSetting: None,  # the engine itself is a setting
    GetProcessId: None,  # a number that nobody chose
}
"""By kind of operation, None where nothing is comparable; all others are as `NUMBERED`."""
OPAQUE = frozenset({MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY, MapType.STACK_TRACE})
"""Types of maps whose values are ids and addresses."""
_CHOSEN = frozenset({"data", "raw", "discarded", "kind", "count", "period"})
"""Fields of records that programs and scripts decide."""
_WORD = 8
_ADDRESSES = (range(0xFFFF << 48, 0xFFFFFFFF << 32), range(0xFFFFFFFF81 << 24, 0xFFFFFFFFFF << 24))
"""Of kernels: memory, x86_64's text and modules; no small number is there, negative or not."""


def word(script: Script, operation: Operation, seen: Outcome) -> Outcome | None:
    """The outcome with everything open that differs between runs by nature; None when nothing of it is comparable."""
    said = SAID.get(type(operation), NUMBERED)
    if said is None or seen.errno == NOT_CARRIED_OUT:
        return None
    if seen.errno is not None:
        return Outcome(errno=seen.errno)
    data = said.data and isinstance(seen.data, bytes) and not _opaque(script, operation)
    return Outcome(
        value=seen.value if said.value and isinstance(seen.value, int) and not is_address(seen.value) else ANY,
        data=_without_addresses(seen.data) if data and isinstance(seen.data, bytes) else ANY,
        log=ANY,
        records=tuple(map(_chosen, seen.records)) if said.records and isinstance(seen.records, tuple) else ANY,
        threads=ANY,
    )


def success(said: Outcome) -> Outcome:
    """Of what was said, whether it succeeded, or the errno."""
    return said if said.errno is not None else Outcome(value=ANY, data=ANY, log=ANY, records=ANY, threads=ANY)


def is_load(operation: Operation) -> bool:
    """Whether it is the verifier that decides what the operation gives."""
    return isinstance(operation, LoadProgram)


def is_address(number: int) -> bool:
    """Whether it looks like the address of something in the kernel."""
    return any(number & (1 << 64) - 1 in place for place in _ADDRESSES)


def _opaque(script: Script, operation: Operation) -> bool:
    """Whether the operation reads what has no meaning elsewhere; a map that the script does not make may hold it."""
    map = operation.map if isinstance(operation, LookupElement) else None
    made = [one.type for one in script.operations if isinstance(one, CreateMap) and map == Ref(one.name)]
    return not made or bool(OPAQUE.intersection(made))


def _without_addresses(content: bytes) -> Bytes:
    words = range(0, len(content) - _WORD + 1, _WORD)
    found = [at for at in words if is_address(int.from_bytes(content[at : at + _WORD], "little"))]
    return Bytes(content, tuple(Piece(at, _WORD, KERNEL_ADDRESS) for at in found))


def _chosen(record: Record | Anything) -> Record | Anything:
    if isinstance(record, Anything):
        return record
    opened: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, bytes) and field.name in _CHOSEN:
            opened[field.name] = _without_addresses(value)
        elif field.name not in _CHOSEN and value is not None:
            opened[field.name] = ANY
    return replace(record, **opened)
