# SPDX-License-Identifier: MIT
"""The kernel functions that run programs, by the kind of program and by release, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.release import Release, newest, release
from harness.script.needs import Need
from harness.script.operations import Script
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
"""The functions that run the programs of a kprobe: each is a text symbol in kernels of 4.1, 5.10, 6.1, 6.12 and 7.2,
where there are kprobes."""
FILTER_HOOKS: Mapping[Release, Hook] = {(4, 1): _FILTER}
"""The function that runs the socket filters of `RunSocketFilter`."""


def hook(era: str, script: Script, has: Callable[[str], bool]) -> Hook:
    """Returns the hook of the programs that `script` runs on a kernel that `has` symbols; raises UserError when there
    is none."""
    found = newest(KPROBE_HOOKS if Need.KPROBES in script.needs else FILTER_HOOKS, release(era))
    if found is None or not has(found.symbol):
        raise UserError(
            f"this kernel has no function that is known to run the programs of {script.name}",
            remedy="name one with --break",
        )
    return found


def arguments_of(symbol: str, era: str) -> tuple[str, ...]:
    """Returns the parameters of a kernel function by name; none for one that is no hook."""
    hooks = (newest(table, release(era)) for table in (KPROBE_HOOKS, FILTER_HOOKS))
    return next((one.arguments for one in hooks if one and one.symbol == symbol), ())
