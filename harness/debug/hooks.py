"""The kernel function that runs the programs of a kprobe, by release, as data."""

from __future__ import annotations

from dataclasses import dataclass

from harness.release import newest, release
from hil.errors import UserError


@dataclass(frozen=True)
class Hook:
    """`symbol` is called once a hit, before the program runs; `arguments` are its parameters by name, of which `ctx` is
    the program's context: the address of a `struct pt_regs`."""

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

# Found as a text symbol of its own in kernels of 4.1, 5.10, 6.1, 6.12 and 7.2, on both architectures.
HOOKS = {(4, 1): _PROGRAM, (4, 15): _EVENT}


def hook(era: str) -> Hook:
    """The hook of a release; UserError when we know none."""
    if found := newest(HOOKS, release(era)):
        return found
    raise UserError(f"no function is known to run programs in era {era}", remedy="name one with --break")
