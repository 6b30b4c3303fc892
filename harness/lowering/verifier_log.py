# SPDX-License-Identifier: MIT
"""What the verifier's log says: the refused instruction, the reason in the kernel's words, how much was followed.

The log has a line for each instruction, `12: (85) call bpf_probe_read#4`, the state of registers between and behind
these, the reason at the end, and then counters; print_verification_stats(), kernel/bpf/verifier.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_INSTRUCTION = re.compile(r"^(\d+): \(([0-9a-f]{2})\) ?(.*)$")
_BEHIND = re.compile(r" ((?:infinite loop detected|The sequence of \d+ jumps|BPF program is too large).*)$")
"""What is written behind an instruction, whose line 6.1 ends only with the state after it."""
_AT = re.compile(r"(?:at insn|insn|from insn) (\d+)")
_STATES = re.compile(
    r"^\s*(?:from \d+ to \d+|\d+: R\d|R\d+(?:_\w+)?=|\d+: safe|func#\d|propagating |mark_precise|parent |last_idx|"
    r"regs=|caller:|callee:|\d+: frame|frame\d+:)"
)
_SOURCE = re.compile(r"^; (.*?)(?: @ \S+:\d+)?$")
"""The place is behind the line since 6.9 (7cc13adbd057)."""
_COUNTERS = re.compile(r"^(?:processed (\d+) insns|verification time |stack depth \d|peak_states)")
_MOST = 4
"""The last lines that are kept."""


@dataclass(frozen=True)
class Reading:
    """The last instruction that the log shows and its text, the kernel's reason in its own words, as lines, and how
    many instructions were processed; None for what it does not say. `source` is the line that the kernel itself names
    before the instruction, where the program was loaded with its lines."""

    instruction: int | None
    text: str
    reason: tuple[str, ...]
    processed: int | None
    source: str = ""


def read(log: str) -> Reading:
    """Returns what a log says."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    processed = next((int(found[1]) for line in reversed(lines) if (found := _COUNTERS.match(line)) and found[1]), None)
    at, text, source = None, "", ""
    reason: list[str] = []
    for line in lines:
        if found := _INSTRUCTION.match(line):
            at, text, reason = int(found[1]), found[3].partition(" ; ")[0].strip(), []
            if behind := _BEHIND.search(text):
                text, reason = text[: behind.start()], [behind[1]]
        elif found := _SOURCE.match(line):
            source = found[1].strip()
        elif not _COUNTERS.match(line) and not _STATES.match(line):
            reason.append(line)
    if at is None and (named := next((_AT.search(line) for line in reason if _AT.search(line)), None)):
        at = int(named[1])
    return Reading(at, text, tuple(reason[-_MOST:]), processed, source)
