# SPDX-License-Identifier: MIT
"""Operations on the process that carries out a script: children, credentials, limits, its name.

The operations between `Fork` and `Exit` are done by a child, while its parent waits. Operations that change the process
for good are allowed there only, so that later operations, and other scripts in the same process, find it unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi.capabilities import Capability


@dataclass(frozen=True)
class Fork:
    """fork(2): a child does the operations that follow, up to its `Exit`."""


@dataclass(frozen=True)
class Exit:
    """The child exits and its parent goes on, after wait4(2); the value is the child's wait status, 0 for success.

    The child's names have no meaning any more, except probes, which belong to no process.
    """


@dataclass(frozen=True)
class SetCredentials:
    """The child takes the user and group `uid`, gives up supplementary groups, and keeps these capabilities only."""

    uid: int
    capabilities: frozenset[Capability] = frozenset()

    @property
    def keeps(self) -> bool:
        """Returns whether it takes a prctl(PR_SET_KEEPCAPS)."""
        return self.uid != 0 and bool(self.capabilities)


@dataclass(frozen=True)
class Execute:
    """execve(2) of a program that writes `line` and a newline to its standard output, which is /dev/null, in one
    write(2), and ends. An `Exit` comes next.

    `command` is that of busybox, with its options, which takes the line as its last argument.
    """

    line: str
    command: tuple[str, ...] = ("echo",)


@dataclass(frozen=True)
class LimitLockedMemory:
    """setrlimit(2) of RLIMIT_MEMLOCK, soft and hard, for the child."""

    nbytes: int


@dataclass(frozen=True)
class SetName:
    """prctl(PR_SET_NAME) for the child."""

    content: bytes


@dataclass(frozen=True)
class GetProcessId:
    """getpid(2); the name stands for the number, also as the `pid` of an event."""

    name: str


ProcessOperation = Fork | Exit | SetCredentials | Execute | LimitLockedMemory | SetName | GetProcessId
ChildOnly = SetCredentials | Execute | LimitLockedMemory | SetName
"""Operations that only a child may do."""
