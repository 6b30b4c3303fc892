# SPDX-License-Identifier: MIT
"""Frames to and from a running agent, without either side ever waiting for the other to read first."""

from __future__ import annotations

import queue
import threading
from collections import deque

from hil.agent.watchdog import Watchdog
from hil.agent.wire import Frame, FrameReader, WireError
from hil.errors import HilError, MachineLost
from hil.target import ByteStream

_CHUNK = 1 << 18


class AgentLost(MachineLost):
    """The agent's stream ended, or stayed silent, while the agent owed answers.

    The answers that had arrived by then were yielded; `answered` is their number in this exchange.
    """

    answered: int = 0


class FrameChannel:
    """Sends from a thread of its own, so that the caller can always read; gives up on an agent that falls silent."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._write_error: Exception | None = None
        self._lost: HilError | None = None
        self._watchdog = Watchdog(stream.close)
        self._watchdog.start()
        self._writer = threading.Thread(target=self._write, name="hil-agent-writer", daemon=True)
        self._writer.start()

    def send(self, frame: bytes) -> None:
        """Queue a frame without blocking; the caller limits how much is under way."""
        self._outgoing.put(frame)

    def receive(self, limit: float) -> Frame:
        """Return the next frame. Raises AgentLost when the stream ends, or `limit` seconds pass without a byte either
        way."""
        if self._lost:
            raise AgentLost(f"the agent was already lost: {self._lost.what}", remedy="start another one")
        try:
            self._watchdog.arm(limit)
            while not self._frames:
                self._frames.extend(self._reader.feed(self._read(limit)))
            return self._frames.popleft()
        except (AgentLost, WireError) as error:
            self.lose(error)
            raise
        finally:
            self._watchdog.disarm()

    def lose(self, error: HilError) -> None:
        """Close the channel because of `error`, which every later `receive` names."""
        self._lost = error
        self.close()

    def close(self) -> None:
        """End the agent and our threads; harmless when repeated."""
        self._outgoing.put(None)
        self._stream.close()
        self._watchdog.stop()
        self._writer.join(timeout=10)

    def _read(self, limit: float) -> bytes:
        cause: Exception | None = None
        try:
            data = self._stream.read(_CHUNK)
        except (MachineLost, OSError) as error:
            data, cause = b"", error
        if data and not self._watchdog.expired:
            self._watchdog.touch()
            return data
        if self._watchdog.expired:
            what = f"the agent was silent for {limit:g} s"
        elif self._reader.partial:
            what = f"the agent's stream ended {self._reader.partial} bytes into an answer"
        else:
            what = "the agent's stream ended"
        cause = cause or self._write_error
        raise AgentLost(what, remedy="see the target's console", details=str(cause or "")) from cause

    def _write(self) -> None:
        for frame in iter(self._outgoing.get, None):
            try:
                for at in range(0, len(frame), _CHUNK):
                    self._stream.write(frame[at : at + _CHUNK])
                    self._watchdog.touch()
            except (MachineLost, OSError) as error:  # `_read` meets the end of the stream and reports this
                self._write_error = error
                return
