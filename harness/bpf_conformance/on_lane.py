# SPDX-License-Identifier: MIT
"""The plugin served by a kernel: the wrapped program as a socket filter, which every kernel of the matrix runs."""

from __future__ import annotations

from dataclasses import replace

from harness.bpf_conformance.request import ProgramFailed, Request
from harness.bpf_conformance.wrapping import ENDED_EARLY, MEMORY, RESULT, STORED, wrap
from harness.lowering.executor import GuestExecutor, Missed
from harness.programs.structure import check
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    Operation,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)
from harness.script.outcome import Outcome, Withheld
from hil.errors import BenchError, UserError

NEWEST = (1 << 16, 0)
"""A release that has every opcode: the kernel itself decides which of them it knows."""
_KEY = bytes(4)
_STATISTICS = ("processed ", "verification time ", "stack depth ")
_PACKET = bytes(STORED)


def execute(executor: GuestExecutor, request: Request) -> int:
    """Returns R0; raises ProgramFailed when the kernel refuses the program, with the verifier's log as details, and
    BenchError when the guest is lost or does not do what the wrapping needs."""
    try:
        check(request.program, NEWEST)
    except UserError as error:
        raise ProgramFailed(str(error)) from None
    outcomes = _run(executor, script(request))
    *made, loaded, filtered, stored = outcomes
    for outcome in made:
        if outcome.errno:
            raise BenchError(f"the guest cannot make the maps of a program: {outcome.errno}")
    if loaded.errno:
        log = _run(executor, script(request, log=True))[-3].log
        refused = f"the kernel refuses the program with {loaded.errno}"
        if isinstance(log, Withheld):
            raise ProgramFailed(f"{refused}; its log was not asked for: {log.why}")
        raise ProgramFailed(f"{refused}: {_reason(str(log or ''))}", details=str(log or ""))
    if filtered.value == ENDED_EARLY and not filtered.errno:
        return 0
    if filtered.value != STORED or not isinstance(stored.data, bytes):
        raise BenchError(f"the program did not store its result: {filtered}, {stored}")
    return int.from_bytes(stored.data, "little")


def script(request: Request, *, log: bool = False) -> Script:
    """Returns the script for the kernel; the last three operations load, run and read the result."""
    size = len(request.memory)
    memory: tuple[Operation, ...] = (
        CreateMap(MEMORY, MapType.ARRAY, 4, size, 1),
        UpdateElement(Ref(MEMORY), _KEY, request.memory),
    )
    load = LoadProgram("program", ProgramType.SOCKET_FILTER, wrap(request.program, size))
    return Script(
        "conformance",
        "A program of bpf_conformance returns in R0 what the suite expects.",
        (
            *(memory if size else ()),
            CreateMap(RESULT, MapType.ARRAY, 4, 8, 1),
            replace(load, log_level=1) if log else load,
            RunSocketFilter(Ref("program"), _PACKET),
            LookupElement(Ref(RESULT), _KEY, 8),
        ),
    )


def _reason(log: str) -> str:
    """Returns the line with the reason; later kernels put statistics behind it."""
    lines = [line for line in log.splitlines() if line and not line.startswith(_STATISTICS)]
    return lines[-1] if lines else "no message"


def _run(executor: GuestExecutor, wanted: Script) -> tuple[Outcome, ...]:
    (seen,) = executor.run([wanted])
    if isinstance(seen, Missed):
        raise BenchError(f"the guest did not finish: {seen.reason}")
    return seen.outcomes
