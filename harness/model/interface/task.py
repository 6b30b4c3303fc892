# SPDX-License-Identifier: MIT
"""A process of the script, as the kernel keeps it: kernel/fork.c, kernel/cred.c."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.abi.capabilities import Capability
from harness.model.interface.descriptors import Names
from harness.model.surroundings import PID, THREAD, Caller
from harness.model.unpredictable import Unpredictable


@dataclass(eq=False, kw_only=True)
class Task(Caller):
    """A process. `capabilities` are the effective ones, `locked_memory` is RLIMIT_MEMLOCK in bytes, None without limit,
    and `limit_doubt` why nobody knows it. `found` are settings it changed, with their earlier values, which it
    restores.
    """

    names: Names
    capabilities: frozenset[Capability]
    locked_memory: int | None = None
    limit_doubt: str = ""
    limited: bool = False
    """Whether it gave up the capabilities to change its groups and users, CAP_SETGID first."""
    parent: Task | None = None
    found: list[tuple[str, int]] = field(default_factory=list)

    def forked(self) -> Task:
        """Returns a child: a copy of everything but the number."""
        return replace(self, names=self.names.forked(), parent=self, pid=PID, tid=None, found=[])

    def thread(self) -> Task:
        """Returns a thread of the same process."""
        return replace(self, tid=THREAD)

    def capable(self, capability: Capability) -> bool:
        """Returns whether it has a capability; raises Unpredictable when nobody knows."""
        self._certain(self.doubt)
        return capability in self.capabilities

    @property
    def user(self) -> int:
        """Returns its uid; raises Unpredictable when nobody knows."""
        self._certain(self.doubt)
        return self.uid

    @property
    def memory_limit(self) -> int | None:
        """Returns `locked_memory`; raises Unpredictable when nobody knows."""
        self._certain(self.limit_doubt)
        return self.locked_memory

    @staticmethod
    def _certain(doubt: str) -> None:
        if doubt:
            raise Unpredictable(doubt)
