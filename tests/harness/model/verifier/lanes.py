"""A process with a few maps, and programs verified in it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
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

ARRAY, ARRAY_AGAIN, HASH, WIDE, NOT_A_MAP = 3, 4, 5, 6, 7
_MAPS: dict[int, MapShape | str] = {
    ARRAY: MapShape(2, 4, 8),
    HASH: MapShape(1, 16, 40),
    WIDE: MapShape(1, 4, 0xFFFFFFF0),
    NOT_A_MAP: "EINVAL",
    **{fd: MapShape(2, 4, 8) for fd in range(1000, 1100)},
}
_MAPS[ARRAY_AGAIN] = _MAPS[ARRAY]

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
