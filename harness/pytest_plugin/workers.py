# SPDX-License-Identifier: MIT
"""What a session tells at its end; with pytest-xdist, what all of its workers have to tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import pytest

from harness.judged import NOTHING, Judged

KEY = "hil"
"""Where `workeroutput`, by which a worker of pytest-xdist tells its controller plain data at its end, has it."""


class Worker(Protocol):
    """A worker as its controller sees it (xdist.workermanage.WorkerController); without `workeroutput` when it died."""

    gateway: Any
    config: pytest.Config


@dataclass
class Told:
    """The counts of everything that was checked, the differences between kernels and the records they are judged by,
    each once for a machine, and the workers that died."""

    judged: Judged = NOTHING
    warnings: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        """Adds the counts of a test or of a worker."""
        self.judged += judged

    def warn(self, *lines: str) -> None:
        """Adds warnings; each is told once."""
        self.warnings += [line for line in dict.fromkeys(lines) if line not in self.warnings]

    @property
    def lines(self) -> Iterator[str]:
        """Yields the lines of the summary."""
        if self.judged:
            yield str(self.judged)
        if self.judged and self.dead:
            yield f"what {' and '.join(self.dead)} judged before the worker died is not counted"
        yield from (f"warning: {line}" for line in self.warnings)


_TOLD = pytest.StashKey[Told]()


def told(config: pytest.Config) -> Told:
    """Returns what the session has to tell so far."""
    return config.stash.setdefault(_TOLD, Told())


def hand_over(config: pytest.Config) -> None:
    """Gives what a worker has to tell to its controller; nothing elsewhere."""
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None and _TOLD in config.stash:
        mine = told(config)
        output[KEY] = {"judged": asdict(mine.judged), "warnings": mine.warnings}


def take_over(node: Worker) -> None:
    """Adds what a worker that ended has to tell to its controller's."""
    ours = told(node.config)
    output: dict[str, Any] | None = getattr(node, "workeroutput", None)
    if output is None:
        ours.dead.append(str(node.gateway.id))
    elif KEY in output:
        ours.add(Judged(**output[KEY]["judged"]))
        ours.warn(*output[KEY]["warnings"])
