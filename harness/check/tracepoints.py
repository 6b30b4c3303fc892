# SPDX-License-Identifier: MIT
"""Tracepoints of a running kernel, from tracefs' available_events: those with the names nearest to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from harness.check.symbols import Found
from hil.target import Target

ANY_GROUP = "*/"
"""Stands before the name of a tracepoint that is named without its group, as raw ones are."""
_MOST_NEAR = 2


def listed(target: Target) -> tuple[str, ...]:
    """Returns the tracepoints of the running kernel, as in `sched/sched_switch`; none where it cannot be asked."""
    events = target.run(["cat", f"{target.tracing}/available_events"]).stdout.decode(errors="replace")
    return tuple(sorted(line.replace(":", "/") for line in events.split()))


def find(target: Target, names: Iterable[str]) -> Mapping[str, Found]:
    """Returns the tracepoints with the names nearest to each of `names`, which the running kernel does not have."""
    names = tuple(dict.fromkeys(names))
    known = listed(target) if names else ()
    # The events of system calls have no tracepoints of their own: kernel/trace/trace_syscalls.c.
    raw = {ANY_GROUP + name.partition("/")[2] for name in known if not name.startswith("syscalls/")}
    return {name: _near(name, sorted(raw) if name.startswith(ANY_GROUP) else known) for name in names}


def _near(name: str, known: Iterable[str]) -> Found:
    near = get_close_matches(name, list(known), _MOST_NEAR, cutoff=0.75)
    return Found((), tuple(one.removeprefix(ANY_GROUP) for one in near))
