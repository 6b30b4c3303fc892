# SPDX-License-Identifier: MIT
"""The agent's answers: a greeting, and for each batch how it ended and what its steps returned."""

from __future__ import annotations

import errno as errnos
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from hil import signals
from hil.agent.steps import Result


@dataclass(frozen=True)
class Hello:
    """The agent's greeting, which describes it and its kernel; `page_size` is in bytes, `cpus` the most it can have."""

    version: int
    page_size: int
    cpus: int
    pid: int
    machine: str
    release: str


class Status(IntEnum):
    """How far a step got. Steps that were not reached have no result at all."""

    RUNNING = 1  # when the batch ended: the step it was killed in, or a thread that was not joined
    DONE = 2
    SKIPPED = 3


class StepResult(NamedTuple):
    """One step's return value (signed), errno (0 when it succeeded) and, for Read, the bytes."""

    status: Status
    value: int
    errno: int = 0
    data: bytes = b""

    @property
    def unsigned(self) -> int:
        """The return value modulo 2**64: the right form for addresses and for Load."""
        return self.value & 0xFFFF_FFFF_FFFF_FFFF

    @property
    def error(self) -> str:
        """The name of errno ("EINVAL"), empty when the step succeeded."""
        return errnos.errorcode.get(self.errno, f"errno {self.errno}") if self.errno else ""


class How(IntEnum):
    """How a batch ended; the comment gives the meaning of `End.detail`."""

    COMPLETED = 0  # 0
    SIGNALLED = 1  # the signal's number
    DEADLINE = 2  # the number of the system call that was under way, -1 when none was
    STUCK = 3  # the same; its process survived SIGKILL and was left behind
    EXITED = 4  # the exit status: a step made its process exit
    REJECTED = 5  # 0; the agent ran nothing of it, `End.text` has the reason


@dataclass(frozen=True)
class End:
    """How a batch ended, and at which step of its main line. `elapsed` in seconds of the target's monotonic clock."""

    how: How
    step: int = 0
    detail: int = 0
    elapsed: float = 0.0
    text: str = ""

    def __str__(self) -> str:
        call = "" if self.detail < 0 else f" in system call {self.detail}"
        match self.how:
            case How.COMPLETED:
                return "completed"
            case How.SIGNALLED:
                return f"killed by {signals.name(self.detail)} at step {self.step}"
            case How.DEADLINE:
                return f"deadline passed at step {self.step}{call}"
            case How.STUCK:
                return f"stuck at step {self.step}{call}, SIGKILL did not end it"
            case How.EXITED:
                return f"exited with status {self.detail} at step {self.step}"
            case How.REJECTED:
                return f"rejected: {self.text}"


class NotCarriedOut(LookupError):
    """A step has no result: it was skipped, or its process died before it or in it."""


@dataclass(frozen=True)
class BatchResult:
    """How a batch ended and the result of each of its steps, None for those that were not reached."""

    end: End
    steps: tuple[StepResult | None, ...]

    @property
    def completed(self) -> bool:
        return self.end.how is How.COMPLETED

    def __getitem__(self, step: Result | int) -> StepResult | None:
        """The result of a step, by its index or by the operand that stands for it."""
        return self.steps[step.step if isinstance(step, Result) else step]

    def done(self, step: Result | int) -> StepResult:
        """The result of a step that was carried out; raises NotCarriedOut when it was not."""
        result = self[step]
        if result is None or result.status is not Status.DONE:
            raise NotCarriedOut(f"{step} was not carried out; the batch {self.end}")
        return result
