# SPDX-License-Identifier: MIT
"""The record of how a user's command fared on a lane: a part of `results.json`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelObject:
    """What the kernel holds for a caller: `kind` is "program", "map", "link", "BTF", "probe" (a line of kprobe_events
    or uprobe_events), "kprobe" (a line of the list of armed ones), "perf event" or "process"; `identity` is unique
    within its kind, `text` says what it is."""

    kind: str
    identity: str
    text: str


@dataclass(frozen=True)
class Executed:
    """A command on a lane.

    `status` is its exit status, 128 + n when signal n ended it, None when it did not end by itself or was not run.
    `late` says that the deadline ended it. `output` has the paths of its outputs and of the fetched files in the run
    folder, `stdout` and `stderr` the last lines. `seen` is what it held while it ran or left, as far as somebody looked
    in time; `left` is what is still there after its end. `loaded` and `made` are how many programs and maps it made in
    all, by the kernel's own count of identifiers, None where the kernel has none.
    """

    lane: str
    command: tuple[str, ...]
    status: int | None = None
    late: bool = False
    seconds: float = 0.0
    stdout: str = ""
    stderr: str = ""
    output: tuple[str, ...] = ()
    seen: tuple[KernelObject, ...] = ()
    left: tuple[KernelObject, ...] = ()
    loaded: int | None = None
    made: int | None = None
    notes: tuple[str, ...] = ()
