# SPDX-License-Identifier: MIT
"""Functions that stay probed while scripts run, so that the scripts' own probes there take less time.

The first kprobe of a function patches its code, and the last one that is removed patches it back; both wait until no
CPU can be executing it. A probe beside another one joins it: register_aggr_kprobe(), kernel/kprobes.c.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.script import operations as op
from harness.script.operations import CreateKprobe, Script
from hil.errors import BenchError
from hil.target import Target

GROUP = "hil_armed"
"""The group of the trace events that stay."""
_ARM = """
[ -e kprobe_events ] || exit 0
for symbol in "$@"; do
    [ -d "events/{group}/$symbol" ] || echo "p:{group}/$symbol $symbol" >>kprobe_events || exit 1
    echo "common_pid == 0" >"events/{group}/$symbol/filter" && echo 1 >"events/{group}/$symbol/enable" || exit 1
done
"""
"""A filter that no hit passes: no task that makes system calls has the number 0, so hits leave nothing in the trace
buffer."""


_SLOTS = """
[ -e kprobe_events ] || exit 0
for number in $(seq {count}); do
    event={group}/$1_$number
    [ -d "events/$event" ] || echo "p:$event $1" >>kprobe_events || exit 1
    cat "events/$event/id" || exit 1
done
"""
_PLAIN = (
    op.CreateMap,
    op.UpdateElement,
    op.LookupElement,
    op.LoadProgram,
    op.CreateKprobe,
    op.OpenEvent,
    op.Attach,
    op.Trigger,
)
"""The operations of scripts that can use a trace event which is there, and leave it as it was."""


def keep_armed(target: Target, tracing: str, symbols: Collection[str]) -> None:
    """Probes each function of `symbols` until the target ends; `tracing` is where its tracefs is mounted.

    A kernel without kprobes is left as it is. Raises BenchError when the kernel does not take a probe.
    """
    _carry_out(target, tracing, _ARM.format(group=GROUP), symbols)


def keep_slots(target: Target, tracing: str, symbol: str, count: int) -> tuple[int, ...]:
    """Makes `count` trace events on a function that stay until the target ends; returns their ids. Scripts that run one
    after the other use one each, as an event of 4.1 takes another program only when the memory of the one before is
    free. They are not enabled, or every hit would go through all of them; beside the probe of `keep_armed` a perf event
    enables its own without patching the function. Raises BenchError when the kernel does not take them."""
    said = _carry_out(target, tracing, _SLOTS.format(group=GROUP, count=count), (symbol,))
    return tuple(map(int, said.split()))


def slots(script: Script, position: int, kept: Mapping[str, tuple[int, ...]]) -> Mapping[str, int]:
    """Returns the trace event that a script uses instead of making one, by its function: that at its position among
    those that share a process. Nothing for a script that could tell the difference."""
    probes = [one for one in script.operations if isinstance(one, CreateKprobe)]
    if len(probes) != 1 or not all(isinstance(one, _PLAIN) for one in script.operations):
        return {}
    (probe,) = probes
    ids = kept.get(probe.symbol, ())
    plain = position < len(ids) and not probe.returns and not probe.offset
    return {probe.symbol: ids[position]} if plain else {}


def _carry_out(target: Target, tracing: str, commands: str, symbols: Collection[str]) -> str:
    done = target.run(["sh", "-c", f"cd {tracing} || exit 1\n{commands}", "arm", *symbols])
    if done.status:
        said = done.stderr.decode(errors="replace").strip()
        raise BenchError(
            f"the guest does not keep probes on {', '.join(symbols)}: {said}",
            remedy="its kernel needs CONFIG_KPROBE_EVENT(S), and a function of that name",
        )
    return done.stdout.decode()
