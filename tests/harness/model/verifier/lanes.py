# SPDX-License-Identifier: MIT
"""A process with a few maps, and programs verified in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from harness.isa.assemble import DW, R1, R2, R10, add64_imm, call, ld_map_fd, mov64_reg, st
from harness.isa.instruction import Instruction
from harness.model.upstream import upstream
from harness.model.verifier import (
    SCHED_CLS,
    SOCKET_FILTER,
    LogRequest,
    MapShape,
    ProgramKind,
    Verdict,
    VerifierContext,
    kprobe,
    verify,
)
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later import Reached, predict
from harness.release import Release
from harness.script.outcome import Unpredicted

ARRAY, ARRAY_AGAIN, HASH, WIDE, NOT_A_MAP = 3, 4, 5, 6, 7
_MAPS: dict[int, MapShape | str] = {
    ARRAY: MapShape(2, 4, 8),
    HASH: MapShape(1, 16, 40),
    WIDE: MapShape(1, 4, 0xFFFFFFF0),
    NOT_A_MAP: "EINVAL",
    **{fd: MapShape(2, 4, 8) for fd in range(1000, 1100)},
}
_MAPS[ARRAY_AGAIN] = _MAPS[ARRAY]

LOOKUP = (st(DW, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -8), ld_map_fd(R1, ARRAY), call(1))
"""Looks up element 0 of the array: what R0 is then may be null."""

KINDS: dict[str, ProgramKind] = {"kprobe": kprobe(168), "socket_filter": SOCKET_FILTER, "sched_cls": SCHED_CLS}
LOG = LogRequest(1, 1 << 20, True)


def find_map(fd: int) -> MapShape | str:
    """The maps of this process; a closed descriptor otherwise."""
    return _MAPS.get(fd, "EBADF")


def check(
    instructions: Sequence[Instruction], kind: str = "kprobe", *, gpl: bool = True, log: LogRequest = LOG
) -> Verdict:
    """The verdict of 4.1, with its log."""
    return verify(instructions, VerifierContext(KINDS[kind], gpl, find_map, log))


def check_later(
    instructions: Sequence[Instruction],
    release: Release,
    kind: ProgramKind,
    *,
    gpl: bool = True,
    missing: Collection[int] = (),
    rules: VerifierRules | None = None,
    reached: Reached = lambda *_: False,
) -> Verdict | Unpredicted:
    """The verdict of a later release, whose verifier has `rules`, None for its own, and offers helpers 1 to 8."""
    rules = rules or upstream(release).verifier
    typed = {number: rules.prototypes.get(number, prototype) for number, prototype in kind.helpers.items()}
    context = VerifierContext(replace(kind, helpers=typed), gpl, find_map)
    return predict(instructions, context, rules, release, frozenset(range(1, 9)), missing, reached)
