# SPDX-License-Identifier: MIT
"""The client with a scripted agent that is slow, silent or gone."""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from hil.agent import wire
from hil.agent.client import WINDOW_BATCHES, WINDOW_BYTES, Agent, AgentLost
from hil.agent.codes import NO_TAG, PROTOCOL_VERSION, FrameType
from hil.agent.steps import Address, Batch, Write
from hil.errors import MachineLost

HELLO = wire.encode_frame(
    FrameType.HELLO, NO_TAG, struct.pack("<IIII", PROTOCOL_VERSION, 4096, 1, 1) + b"\x00\x00\x00\x00"
)


def completed(tag: int) -> bytes:
    return wire.encode_frame(FrameType.RESULT, tag, struct.pack("<HHIiQ", 0, 0, 0, 0, 0))


class ScriptedStream:
    """A stream that answers each batch with `reply(tag)`; None ends it."""

    def __init__(self, reply: Callable[[int], bytes | None], hello: bytes | None = HELLO) -> None:
        self._reply = reply
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._closed = threading.Event()
        self.tags: list[int] = []
        self._to_come = 0
        self._put(hello)

    def _put(self, data: bytes | None) -> None:
        if data is None:
            self.close()
        elif data:
            self._answers.put(data)

    def write(self, data: bytes) -> None:
        if self._closed.is_set():
            raise MachineLost("the scripted stream is closed")
        if self._to_come:  # a frame comes in pieces
            self._to_come -= len(data)
            return
        _, _, tag, size = wire.FRAME_HEADER.unpack_from(data)
        self._to_come = wire.FRAME_HEADER.size + size - len(data)
        self.tags.append(tag)
        self._put(self._reply(tag))

    def read(self, size: int) -> bytes:
        return self._answers.get()

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._answers.put(b"")


BATCH = Batch(())


def test_answers_come_in_order_and_tags_go_on() -> None:
    stream = ScriptedStream(completed)
    with Agent(stream) as agent:
        assert [r.completed for r in agent.exchange([BATCH] * 3)] == [True] * 3
        assert [r.completed for r in agent.exchange([BATCH] * 2)] == [True] * 2
    assert stream.tags == [0, 1, 2, 3, 4]


def test_no_more_than_a_window_is_under_way() -> None:
    taken = 0

    def batches(count: int) -> object:
        nonlocal taken
        for _ in range(count):
            taken += 1
            yield BATCH

    with Agent(ScriptedStream(completed)) as agent:
        results = agent.exchange(batches(5 * WINDOW_BATCHES))  # type: ignore[arg-type]
        for received in range(1, 2 * WINDOW_BATCHES):
            next(results)
            assert taken - received <= WINDOW_BATCHES
        results.close()
        assert len(list(agent.exchange([BATCH]))) == 1  # what the first exchange left was collected


@pytest.mark.parametrize(("size", "most"), [(WINDOW_BYTES // 4, 4), (WINDOW_BYTES * 3 // 2, 3)])
def test_answers_are_read_before_much_is_sent(size: int, most: int) -> None:
    """Or they would fill the connection, and the agent would wait for a reader that waits for nothing. While it carries
    out a batch, however large, the next one is there."""
    taken = 0

    def batches() -> Iterator[Batch]:
        nonlocal taken
        for _ in range(20):
            taken += 1
            yield Batch((), arena=size, image=(Write(Address(0), bytes(size)),))

    with Agent(ScriptedStream(completed)) as agent:
        ahead = [taken - received for received, _ in enumerate(agent.exchange(batches()))]
        assert max(ahead) == most


def test_end_of_the_stream_keeps_what_arrived() -> None:
    received = []
    with Agent(ScriptedStream(lambda tag: completed(tag) if tag < 2 else None)) as agent:
        with pytest.raises(AgentLost, match="stream ended") as caught:
            for result in agent.exchange([BATCH] * 5):
                received.append(result)
        assert len(received) == caught.value.answered == 2
        with pytest.raises(AgentLost, match="was already lost"):
            list(agent.exchange([BATCH]))


def test_end_inside_an_answer_is_named() -> None:
    stream = ScriptedStream(lambda tag: completed(tag)[:20])
    with Agent(stream) as agent:
        threading.Timer(0.2, stream.close).start()
        with pytest.raises(AgentLost, match="ended 20 bytes into an answer"):
            list(agent.exchange([BATCH]))


def test_silence_is_noticed() -> None:
    with Agent(ScriptedStream(lambda tag: b""), patience=0.2) as agent:
        batch = Batch((), deadline=0.1)
        with pytest.raises(AgentLost, match=r"silent for 0\.3 s"):
            list(agent.exchange([batch]))


def test_missing_greeting() -> None:
    with pytest.raises(AgentLost, match="stream ended"):
        Agent(ScriptedStream(completed, hello=None))
    with pytest.raises(AgentLost, match="silent"):
        Agent(ScriptedStream(completed, hello=b""), patience=0.1)
    with pytest.raises(wire.WireError, match="does not answer like the agent"):
        Agent(ScriptedStream(completed, hello=b"Segmentation fault"))


def test_wrong_answers_end_the_agent() -> None:
    with Agent(ScriptedStream(lambda tag: completed(tag + 1))) as agent:
        with pytest.raises(wire.WireError, match="instead of 0"):
            list(agent.exchange([BATCH] * 3))
        with pytest.raises(AgentLost):
            list(agent.exchange([BATCH]))


def test_a_batch_that_cannot_be_sent_leaves_the_agent_usable() -> None:
    with Agent(ScriptedStream(completed)) as agent:
        with pytest.raises(wire.BatchError):
            list(agent.exchange([BATCH, Batch((), deadline=-1)]))
        assert len(list(agent.exchange([BATCH]))) == 1


def test_one_exchange_at_a_time() -> None:
    with Agent(ScriptedStream(completed)) as agent:
        first = agent.exchange([BATCH] * 3)
        next(first)
        with pytest.raises(RuntimeError, match="one exchange"):
            next(agent.exchange([BATCH]))


def test_an_exchange_that_awaits_its_last_answer_is_under_way() -> None:
    asked, reading = threading.Event(), threading.Event()

    def stand_still(_: int) -> bytes:
        asked.set()
        return b""

    stream = ScriptedStream(stand_still)
    answer = stream.read

    def read(size: int) -> bytes:
        reading.set()
        return answer(size)

    with Agent(stream, patience=5) as agent:
        stream.read = read  # type: ignore[method-assign]
        results: list[object] = []
        first = threading.Thread(target=lambda: results.extend(agent.exchange([BATCH])))
        first.start()
        assert asked.wait(10) and reading.wait(10)
        with pytest.raises(RuntimeError, match="one exchange"):
            list(agent.exchange([BATCH]))
        stream._put(completed(0))
        first.join(10)
        assert len(results) == 1
        stream._reply = completed
        assert len(list(agent.exchange([BATCH]))) == 1


def test_an_interrupt_stays_one_and_ends_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = ScriptedStream(completed)
    agent = Agent(stream)
    results = agent.exchange([BATCH] * 3)
    assert next(results).completed
    with monkeypatch.context() as patch:

        def interrupt(size: int) -> bytes:
            raise KeyboardInterrupt

        agent._channel._frames.clear()
        patch.setattr(stream, "read", interrupt)
        with pytest.raises(KeyboardInterrupt):
            next(results)
    with pytest.raises(AgentLost, match="interrupted"):
        list(agent.exchange([BATCH]))
