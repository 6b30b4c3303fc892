# SPDX-License-Identifier: MIT
"""Programs for one and the same event, of which a loader takes the one that the kernel can do: an fentry and a kprobe
of a function, a tracepoint with types and one without."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.objects.object_file import ObjectProgram

_FUNCTIONS = frozenset(
    {"kprobe", "kretprobe", "ksyscall", "kretsyscall", "fentry", "fexit", "kprobe.multi", "kretprobe.multi"}
)
_EVENTS = frozenset({"tp_btf", "raw_tp", "raw_tracepoint", "tp", "tracepoint"})
_SYSTEM_CALL = re.compile(r"^(?:__(?:x64|arm64|riscv|se)_sys_|SyS_|sys_)")
_SYSTEM_CALL_EVENT = re.compile(r"^syscalls/sys_(enter|exit)_")


def event(program: ObjectProgram) -> tuple[str, str] | None:
    """What runs the program, in words that do not depend on how it is attached: `enter`, `exit` or `event`, and of
    what. None where the name of its section does not tell."""
    said = program.meaning
    if said is None or not said.target:
        return None
    mechanism = said.mechanism.removesuffix(".s")
    if mechanism in _FUNCTIONS:
        call = mechanism.endswith("syscall")
        name = f"sys_{said.target}" if call else _SYSTEM_CALL.sub("sys_", said.target)
        return "exit" if said.returns else "enter", name
    if mechanism in _EVENTS:
        if found := _SYSTEM_CALL_EVENT.match(said.target):
            return found[1], f"sys_{said.target[found.end() :]}"
        return "event", said.target.rpartition("/")[2]
    return None


def twins(programs: Iterable[ObjectProgram]) -> tuple[tuple[ObjectProgram, ...], ...]:
    """Programs of one event that are attached in different ways, together."""
    groups: dict[tuple[str, str], list[ObjectProgram]] = {}
    for program in programs:
        if (what := event(program)) is not None:
            groups.setdefault(what, []).append(program)
    return tuple(
        tuple(group) for group in groups.values() if len({one.meaning.mechanism for one in group if one.meaning}) > 1
    )
