# SPDX-License-Identifier: MIT
"""The result of one check of the host."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hil.errors import HilError


class State(StrEnum):
    """How much a finding matters: nothing, some commands or lanes do not work or are slow, nothing works."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What was found about `subject`, and what to do about it. Whatever is not ok has a remedy."""

    subject: str
    state: State
    what: str
    remedy: str = ""


def failed(subject: str, error: HilError, state: State = State.ERROR) -> Finding:
    """The finding for an error that the bench would meet, with the error's own remedy."""
    details = error.details.strip().splitlines()
    what = f"{error.what}: {details[-1]}" if details else error.what
    return Finding(subject, state, what, error.remedy or "see the message")
