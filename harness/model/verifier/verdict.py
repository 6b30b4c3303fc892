# SPDX-License-Identifier: MIT
"""The verdict of the verifier."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.verifier.log import Log
from harness.model.verifier.rules import Rule


@dataclass(frozen=True)
class Verdict:
    """A verdict. `errno` is None for an accepted program, else the errno's name.

    `message` is the line that says why, without its end ("" where the kernel gives none) and `at` the index of the
    instruction it is about; both are also set without a log, and beside ENOSPC, which replaces a refusal's errno when
    the log's buffer overflows. `log` is the whole log, None when none was asked for.

    `rule` is the one the program was refused by, None for an accepted one.

    `doubt` is not empty when the outcome of the load cannot be predicted, and says why. With `oops` the verifier
    accepts and the kernel then crashes while it loads the program: a generator must not load it on a machine.
    """

    errno: str | None = None
    message: str = ""
    at: int | None = None
    log: Log | None = None
    rule: Rule | None = None
    doubt: str = ""
    oops: bool = False

    @property
    def accepted(self) -> bool:
        """Returns whether the program loads."""
        return self.errno is None and not self.oops


class Refused(Exception):
    """Raised by a check: by this rule the program is refused with this errno and this line of the log."""

    def __init__(self, rule: Rule, errno: str, message: str = "") -> None:
        super().__init__(rule, errno, message)
        self.rule = rule
        self.errno = errno
        self.message = message
