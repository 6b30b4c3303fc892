# SPDX-License-Identifier: MIT
"""The client of a running agent: sends batches and yields the result of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from types import TracebackType

from hil.agent.channel import AgentLost, FrameChannel
from hil.agent.codes import NO_TAG
from hil.agent.results import BatchResult, Hello
from hil.agent.steps import Batch
from hil.agent.wire import decode_answer, decode_hello, encode_batch
from hil.errors import HilError
from hil.target import ByteStream

__all__ = ["Agent", "AgentLost"]

# How much may be under way at once: enough that the agent never waits for us, and so little that its answers, which are
# read when a window is full, do not fill the connection, or it would wait until everything is sent. Of batches that are
# larger than the window, with many large programs, there are two: one that runs, and the next.
WINDOW_BATCHES = 64
WINDOW_BYTES = 512 << 10
_ALWAYS = 2


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """The data of a batch that are kept until its answer comes."""

    tag: int
    steps: int
    deadline: float
    size: int


class Agent:
    """An agent at the other end of `stream`, which must allow one thread to read while another one writes.

    Reads the agent's greeting at once; raises AgentLost when there is none, WireError when it is not an agent's.
    `patience`: seconds without a sign of life, on top of the deadline of the batch we wait for, after which the agent
    counts as lost. The agent ends overdue batches itself; patience only runs out when the whole target hangs.
    """

    def __init__(self, stream: ByteStream, *, patience: float = 60.0) -> None:
        self._channel = FrameChannel(stream)
        self._patience = patience
        self._next_tag = 0
        self._under_way: deque[_UnderWay] = deque()
        self._exchanging = threading.Lock()
        try:
            self.hello: Hello = decode_hello(self._channel.receive(patience))
        except HilError:
            self._channel.close()
            raise

    def exchange(self, batches: Iterable[Batch]) -> Generator[BatchResult, None, None]:
        """Yield one result per batch, in order. Batches are taken from the iterable, and sent, ahead of the results.

        Raises BatchError when a batch exceeds a limit of the format, AgentLost when the agent is gone; this object
        cannot be used after that. An exchange that is closed half-way first reads the answers that are still under way.
        """
        # Not by what is under way: while the last answer is read, nothing is, and another exchange would take it.
        if not self._exchanging.acquire(blocking=False):
            raise RuntimeError("an agent carries out one exchange at a time")
        answered = 0
        try:
            for batch in batches:
                frame = encode_batch(batch, self._next_tag)
                while self._full(len(frame)):
                    yield self._answer()
                    answered += 1
                self._send(batch, frame)
            while self._under_way:
                yield self._answer()
                answered += 1
        except AgentLost as lost:
            lost.answered = answered
            raise
        finally:
            try:
                while self._under_way:
                    self._answer()
            finally:
                self._exchanging.release()

    def close(self) -> None:
        """End the agent; harmless when repeated."""
        self._channel.close()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _full(self, size: int) -> bool:
        """Whether an answer must be read before `size` more bytes are sent."""
        count, sent = len(self._under_way), sum(batch.size for batch in self._under_way)
        return count >= WINDOW_BATCHES or (count >= _ALWAYS and sent + size > WINDOW_BYTES)

    def _send(self, batch: Batch, frame: bytes) -> None:
        self._under_way.append(_UnderWay(self._next_tag, len(batch.steps), batch.deadline, len(frame)))
        self._next_tag = (self._next_tag + 1) % NO_TAG
        self._channel.send(frame)

    def _answer(self) -> BatchResult:
        """The answer to the batch that was sent first."""
        batch = self._under_way.popleft()
        try:
            return decode_answer(self._channel.receive(batch.deadline + self._patience), batch.tag, batch.steps)
        except BaseException as error:
            # Also after an interrupt: later answers would be taken for those of other batches.
            self._under_way.clear()
            self._channel.lose(
                error if isinstance(error, HilError) else AgentLost("interrupted before every answer was read")
            )
            raise
