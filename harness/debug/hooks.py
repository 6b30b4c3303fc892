# SPDX-License-Identifier: MIT
"""The kernel functions that run programs, by the kind of program and by release, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.abi.bpf import ProgramType
from harness.release import Release, newest, release
from harness.script.needs import Need
from harness.script.operations import LoadProgram, OpenEvent, RunSocketFilter, Script, flat
from hil.errors import UserError


@dataclass(frozen=True)
class Hook:
    """A kernel function: `symbol` is called once for each hit, or packet, before the program runs; `arguments` are its
    parameters by name. The parameter `ctx` is the address of a `struct pt_regs`, the program's context."""

    symbol: str
    arguments: tuple[str, ...]
    link: str


_PROGRAM = Hook(
    "trace_call_bpf",
    ("prog", "ctx"),
    "https://elixir.bootlin.com/linux/v4.1/source/kernel/trace/bpf_trace.c",
)
# An event runs several programs since 4.15 (e87c6bc3852b), so the event is passed.
_EVENT = Hook(
    "trace_call_bpf",
    ("call", "ctx"),
    "https://elixir.bootlin.com/linux/v6.1/source/kernel/trace/bpf_trace.c",
)
# It calls the receiver's filter. sk_filter() itself is called for every packet of the guest's SSH server as well.
_FILTER = Hook(
    "unix_dgram_sendmsg",
    ("sock", "msg", "len"),
    "https://elixir.bootlin.com/linux/v4.1/source/net/unix/af_unix.c",
)

KPROBE_HOOKS: Mapping[Release, Hook] = {(4, 1): _PROGRAM, (4, 15): _EVENT}
"""The functions that run the programs of a trace event, which is a kprobe or a tracepoint: each is a text symbol in
kernels of 4.1, 5.10, 6.1, 6.12 and 7.2, where there are kprobes."""
FILTER_HOOKS: Mapping[Release, Hook] = {(4, 1): _FILTER}
"""The function that runs the socket filters of `RunSocketFilter`."""
_OF_EVENTS = frozenset({ProgramType.KPROBE, ProgramType.TRACEPOINT})
LOADS = "bpf_check"
"""The verifier: a function that every kernel has, and that every program is passed to when it is loaded."""


def hook(era: str, script: Script, has: Callable[[str], bool]) -> Hook:
    """Returns the hook of the programs that `script` runs on a kernel that `has` symbols; raises UserError when there
    is none."""
    found = newest(_hooks(script), release(era))
    if found is None or not has(found.symbol):
        raise UserError(
            f"this kernel has no function that is known to run the programs of {script.name}",
            remedy=f"name one with --break; after --interactive --break {LOADS}, which loads them, `bpf break 0` and "
            "`continue` stop before their first instruction",
        )
    return found


def _hooks(script: Script) -> Mapping[Release, Hook]:
    """Returns the functions that run the programs of a script; none where no such function is known, as for those of
    raw tracepoints, trampolines, uprobes, page faults and devices. An event of `OpenEvent` is a trace event, whichever
    operation its program is attached with."""
    operations = list(flat(script.operations))
    types = {one.type for one in operations if isinstance(one, LoadProgram)}
    opens = any(isinstance(one, OpenEvent) for one in operations)
    if Need.KPROBES in script.needs or (opens and types & _OF_EVENTS):
        return KPROBE_HOOKS
    return FILTER_HOOKS if any(isinstance(one, RunSocketFilter) for one in operations) else {}


def arguments_of(symbol: str, era: str) -> tuple[str, ...]:
    """Returns the parameters of a kernel function by name; none for one that is no hook."""
    hooks = (newest(table, release(era)) for table in (KPROBE_HOOKS, FILTER_HOOKS))
    return next((one.arguments for one in hooks if one and one.symbol == symbol), ())
