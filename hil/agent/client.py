"""The client of a running agent: sends batches, yields what came of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hil.agent.results import BatchResult, Hello
from hil.agent.steps import Batch
from hil.errors import MachineLost
from hil.target import ByteStream


class AgentLost(MachineLost):
    """The agent's stream ended, or stayed silent, while it owed answers.

    What had arrived by then was yielded; `answered` says how many batches of the exchange that were.
    """

    def __init__(self, what: str, *, answered: int = 0, remedy: str = "", details: str = "") -> None:
        super().__init__(what, remedy=remedy, details=details)
        self.answered = answered


class Agent:
    """An agent at the other end of `stream`. Reads its greeting at once; AgentLost when there is none."""

    hello: Hello

    def __init__(self, stream: ByteStream, *, patience: float = 60.0) -> None:
        raise NotImplementedError

    def exchange(self, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        """One result a batch, in order."""
        raise NotImplementedError

    def close(self) -> None:
        """End the agent; harmless when repeated."""
        raise NotImplementedError
