# SPDX-License-Identifier: MIT
"""Functions that stay probed while scripts run, so that the scripts' own probes there take less time.

The first kprobe of a function patches its code, and the last one that is removed patches it back; both wait until no
CPU can be executing it. A probe beside another one joins it: register_aggr_kprobe(), kernel/kprobes.c.
"""

from __future__ import annotations

from collections.abc import Iterable

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


def keep_armed(target: Target, tracing: str, symbols: Iterable[str]) -> None:
    """Probes each function of `symbols` until the target ends; `tracing` is where its tracefs is mounted.

    A kernel without kprobes is left as it is. Raises BenchError when the kernel does not take a probe.
    """
    done = target.run(["sh", "-c", f"cd {tracing} || exit 1\n{_ARM.format(group=GROUP)}", "arm", *symbols])
    if done.status:
        said = done.stderr.decode(errors="replace").strip()
        raise BenchError(
            f"the guest does not keep probes on {', '.join(symbols)}: {said}",
            remedy="its kernel needs CONFIG_KPROBE_EVENT(S), and a function of that name",
        )
