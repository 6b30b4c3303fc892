# SPDX-License-Identifier: MIT
"""A process of the script, as the kernel knows it: kernel/fork.c, kernel/cred.c."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.abi.capabilities import Capability
from harness.model.interface.descriptors import Names
from harness.model.surroundings import PID, THREAD, Caller
from harness.model.unpredictable import Unpredictable


@dataclass(eq=False, kw_only=True)
class Task(Caller):
    """`capabilities` are the effective ones, `locked_memory` is RLIMIT_MEMLOCK in bytes, None without limit, and
    `limit_doubt` why nobody knows it. `found` are settings it changed, with the values they had, for it to put back."""

    names: Names
    capabilities: frozenset[Capability]
    locked_memory: int | None = None
    limit_doubt: str = ""
    limited: bool = False
    """Whether it gave up what it takes to change its groups and users, CAP_SETGID first."""
    parent: Task | None = None
    found: list[tuple[str, int]] = field(default_factory=list)

    def forked(self) -> Task:
        """A child: a copy of everything but the number."""
        return replace(self, names=self.names.forked(), parent=self, pid=PID, tid=None, found=[])

    def thread(self) -> Task:
        """A thread of the same process."""
        return replace(self, tid=THREAD)

    def capable(self, capability: Capability) -> bool:
        """Unpredictable when nobody knows."""
        self._certain(self.doubt)
        return capability in self.capabilities

    @property
    def user(self) -> int:
        """Its uid; Unpredictable when nobody knows."""
        self._certain(self.doubt)
        return self.uid

    @property
    def memory_limit(self) -> int | None:
        """`locked_memory`; Unpredictable when nobody knows."""
        self._certain(self.limit_doubt)
        return self.locked_memory

    @staticmethod
    def _certain(doubt: str) -> None:
        if doubt:
            raise Unpredictable(doubt)
