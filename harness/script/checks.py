# SPDX-License-Identifier: MIT
"""Checks of a script that hold whatever kernel it is for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.abi import btf
from harness.script import names
from harness.script.bounds import ROOM, beyond, nbytes
from harness.script.brief import brief
from harness.script.declared import undeclared
from harness.script.operations import (
    CreateKprobe,
    EventSource,
    FindTracepoint,
    Functions,
    LoadProgram,
    Operation,
    Part,
    Program,
    RawBpf,
    RawOpenEvent,
    RunThreads,
    Trigger,
)
from harness.script.outcome import Outcome
from harness.script.processes import ChildOnly, Execute, Exit, Fork, SetCredentials
from harness.script.surroundings import ReadSetting, SetSetting
from harness.script.text import describe
from harness.script.triggers import TRIGGERS
from hil.nearest import nearest

LONGEST_TAG, LONGEST_PROBE = 30, 32
"""The most characters that executors put before the name of a script's trace event, with a _ between, and of that name:
MAX_EVENT_NAME_LEN, kernel/trace/trace.h, is 64."""
_WIDTHS = (1, 2, 4, 8)
_SETTING = re.compile(r"(?!.*\.\.)[\w.-]+(/[\w.:-]+)+")
_FOR_GOOD = {
    "kernel/unprivileged_bpf_disabled": (1,),
    "kernel/modules_disabled": (1,),
    "kernel/kexec_load_disabled": (1,),
    "kernel/yama/ptrace_scope": (3,),
}
"""Values that the kernel does not allow to be changed back: Documentation/admin-guide/sysctl/kernel.rst, and
Documentation/admin-guide/LSM/Yama.rst."""
TRACEPOINT = re.compile(r"[\w-]+/[\w-]+")
_PROBE = re.compile(rf"\w{{1,{LONGEST_PROBE}}}", re.ASCII)
"""A pattern of names: is_good_name(), kernel/trace/trace_probe.h; with the executors' prefix it stays below
MAX_EVENT_NAME_LEN."""
_FUNCTION = re.compile(btf.NAME, re.ASCII)
SYMBOL = re.compile(r"[A-Za-z_.][\w.$:]{,511}", re.ASCII)
"""A pattern of functions, with a module in front or a suffix behind; anything else would be another command."""
PATTERN = re.compile(r"[\w.$*?]{1,511}", re.ASCII)
"""A pattern of names of functions, as libbpf's glob_match() takes it."""
_SOURCE = re.compile(r"\w{1,64}", re.ASCII)


def complaint(operations: Sequence[Operation], expected: Sequence[Outcome | None]) -> str:
    """Returns what is wrong with these operations, and with which; empty when nothing is."""
    if not operations:
        return "there are no operations, so that no result could ever be wrong"
    if expected and len(expected) != len(operations):
        return f"{len(expected)} expectations for {len(operations)} operations"
    for index, operation in enumerate(operations):
        if wrong := undeclared(operation):
            return f"operation {index}, {brief(repr(operation))}, {wrong}"
    for index, said in enumerate(expected):
        if not isinstance(said, Outcome | None):
            return f"what is expected of operation {index}, {said!r}, is no Expectation"
    changed = [False]
    """Whether a process changed settings, which are to be restored at its end: the script's, its child, and so on."""
    for index, operation in enumerate(operations):
        if wrong := _process(operation, changed) or _written(operation) or beyond(operation):
            return f"operation {index}, {brief(describe(operation))}, {wrong}"
        if isinstance(operation, Execute) and operations[index + 1 : index + 2] != (Exit(),):
            return f"operation {index}: nothing but Exit comes after Execute"
    if len(changed) > 1:
        return "a child does not exit"
    if (asked := sum(map(nbytes, operations))) > ROOM:
        return f"its operations ask for {asked} bytes of memory together; a script has room for {ROOM}"
    return names.wrong(operations, expected)


def _process(operation: Operation, changed: list[bool]) -> str:
    """Returns what is wrong with an operation at this place of its process."""
    match operation:
        case Fork():
            changed.append(False)
        case _ if len(changed) == 1 and isinstance(operation, Exit | ChildOnly):
            return "is for a child only; put it between Fork and Exit"
        case Exit():
            changed.pop()
        case SetCredentials() | Execute() if changed[-1]:
            return "comes after a setting that could not be restored after it"
        case SetSetting():
            changed[-1] = True
    return ""


def _written(operation: Operation) -> str:
    """Returns what is wrong with an operation wherever it is."""
    match operation:
        case RunThreads(threads):
            inner = [one for thread in threads for one in thread.operations]
            if not inner or any(thread.cpu < 0 for thread in threads):
                return "has threads without operations, or one on no CPU"
            if any(isinstance(one, RunThreads | Fork | Exit | ChildOnly) for one in inner):
                return "holds an operation that threads cannot do"
            return next(filter(None, map(_written, inner)), "")
        case Trigger(trigger=name) if name not in TRIGGERS:
            return f"names {name!r}, which is no trigger; {nearest(name, TRIGGERS)}"
        case Trigger(times=times) if times < 1:
            return "fires nothing"
        case Trigger(trigger=name, arguments=arguments):
            chosen = TRIGGERS[name].chosen
            if len(arguments) > len(chosen):
                return f"has {len(arguments)} arguments; {name!r} lets one choose {len(chosen)}: {', '.join(chosen)}"
        case LoadProgram(program=Program(instructions, maps, functions), types=types):
            if beyond := [index for index, _ in maps if not 0 <= index < len(instructions)]:
                return f"refers to a map in instruction {beyond[0]} of {len(instructions)}"
            if strange := [name for _, name in functions if not _FUNCTION.fullmatch(name)]:
                return f"names a function {strange[0]!r}; kernels take letters, digits and _, here 100 at most"
            if functions and types is not None:
                return "has types beside those of its program's own functions"
        case RawBpf(parts=parts, address=address):
            if address is not None and parts:
                return "has parts of what its address replaces"
            return _parts(parts, operation.nbytes)
        case RawOpenEvent(parts=parts, length=length):
            return _parts(parts, length)
        case ReadSetting(path) | SetSetting(path) if not _SETTING.fullmatch(path):
            return "names no file below /proc/sys; write it as in 'kernel/perf_event_paranoid'"
        case CreateKprobe(name) if not _PROBE.fullmatch(name):
            return f"names a trace event {name!r}; kernels take letters, digits and _, here {LONGEST_PROBE} at most"
        case CreateKprobe(symbol=symbol, offset=offset) if not SYMBOL.fullmatch(symbol) or offset < 0:
            return "names no place in a function; write other commands as they are, by WriteKprobeEvents"
        case SetSetting(path, value) if value in _FOR_GOOD.get(path, ()):
            return "could not be restored: it holds until the next boot, for everything that runs after the script"
        case FindTracepoint(tracepoint=path) if not TRACEPOINT.fullmatch(path):
            return "names no tracepoint; write it as in 'sched/sched_switch'"
    return ""


def _parts(parts: Sequence[Part], length: int) -> str:
    """Returns what is wrong with the parts. Numbers may be cut where the structure ends; what only the target knows is
    stored whole, where it has room. Without a byte the call gets a null pointer."""
    for part in parts if length else ():
        match part.value:
            case Functions(pattern) if not PATTERN.fullmatch(pattern):
                return f"has a pattern {pattern!r}, which matches no names of functions"
            case EventSource(name) if not _SOURCE.fullmatch(name):
                return f"has a source of events {name!r}, which is no name"
        if part.offset < 0 or part.size < 1:
            return f"has a part of {part.size} bytes at {part.offset}"
        if isinstance(part.value, int):
            if max(part.value, ~part.value << 1).bit_length() > 8 * part.size:  # negative ones have a bit for the sign
                return f"stores {part.value:#x} in {part.size} bytes, where it has no room"
        elif part.size not in _WIDTHS or part.offset + part.size > length:
            return f"stores {part.size} bytes at {part.offset} of {length}; sizes are {_WIDTHS}"
    return ""
