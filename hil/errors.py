# SPDX-License-Identifier: MIT
"""Errors that a user can meet. Each says what happened, what it was about, and what to do next.

Mistakes of the user and failures of the bench are different classes, because a CI job must treat them differently.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors of a process, or a host, without descriptors or memory: they say nothing of the file they were met at."""


class HilError(Exception):
    """Base of every error that is shown as one line instead of a traceback.

    `what` says what happened and to what; `remedy` says what to do next; `details` (console lines, a command line) is
    printed below the line.
    """

    exit_status = 3

    def __init__(self, what: str, *, remedy: str = "", details: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what

    def __reduce__(self) -> tuple[Any, ...]:
        """Gives it to another process as it is, whatever its class takes to be made."""
        return _as_it_was, (type(self), self.args, vars(self))


def _as_it_was(kind: type[HilError], arguments: tuple[object, ...], attributes: Mapping[str, object]) -> HilError:
    error = kind.__new__(kind, *arguments)
    vars(error).update(attributes)
    return error


class UserError(HilError):
    """The request cannot be met as it was made: unknown lane, bad argument, malformed input."""

    exit_status = 2


class BenchError(HilError):
    """The bench, its host or its cache failed; the request itself was fine."""


class MachineLost(BenchError):
    """A machine died or stopped answering while it was in use."""


def os_error(error: OSError, place: object = None) -> BenchError:
    """The BenchError for an OSError, such as a full disk or a read-only folder, with the system's text as its message.

    `place` is the file it was about, for errors of an open file, in which the system gives no name.
    """
    where = error.filename if isinstance(error.filename, str) else place
    what = str(error) if where is None else f"{where}: {error.strerror}"
    if error.errno in EXHAUSTED:
        return BenchError(
            what, remedy="end other programs, use fewer --jobs, or raise the limit (ulimit -n, ulimit -v)"
        )
    return BenchError(what, remedy="check its disk and its permissions, or name another place")


def exhausted(error: BaseException) -> BenchError | None:
    """Returns the BenchError for an exception of Python that says that the process has no memory or no threads left,
    which is no fault of the bench; None for another one."""
    if isinstance(error, MemoryError):
        what = "the bench has no memory left"
    elif isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        what = "the bench can start no thread: there is no memory left, or too many processes"
    else:
        return None
    return BenchError(what, remedy="end other programs, use fewer --jobs, or raise the limit (ulimit -v, ulimit -u)")
