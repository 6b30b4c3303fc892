# SPDX-License-Identifier: MIT
"""The checks before and after the passes: the count of instructions and the log's buffer. bpf_check(),
kernel/bpf/verifier.c."""

from __future__ import annotations

from harness.model.verifier.context import Limits, LogRequest
from harness.model.verifier.log import Log
from harness.model.verifier.rules import Rule
from harness.model.verifier.verdict import Refused


def check_length(count: int, limits: Limits) -> None:
    """Raises E2BIG for no instruction at all or too many."""
    if not 0 < count <= limits.instructions:
        raise Refused(Rule.LENGTH, "E2BIG")


def check_log(request: LogRequest, limits: Limits) -> None:
    """Raises EINVAL unless no log field is set, or all are and the size is valid. All levels but 0 are the same."""
    wanted = request.level or request.buffer or request.size
    sane = limits.least_log <= request.size <= limits.most_log and request.level and request.buffer
    if wanted and not sane:
        raise Refused(Rule.LOG, "EINVAL")


def overflows(log: Log, size: int) -> bool | None:
    """Returns whether the text reaches the buffer's last byte but one, which is ENOSPC; None when that cannot be
    known."""
    least, most = log.length
    return None if least < size - 1 <= most else least >= size - 1
