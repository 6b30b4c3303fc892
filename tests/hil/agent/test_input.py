# SPDX-License-Identifier: MIT
"""Batches and input that the agent rejects."""

from __future__ import annotations

import resource
import struct
import subprocess
from pathlib import Path

import psutil
import pytest

from hil.agent import wire
from hil.agent.client import Agent, AgentLost
from hil.agent.codes import NO_TAG, FrameType
from hil.agent.local import ProcessStream
from hil.agent.results import How
from hil.agent.steps import (
    Address,
    Batch,
    Immediate,
    Join,
    Load,
    Process,
    Read,
    Repeat,
    Result,
    Skip,
    Syscall,
    Thread,
    Value,
    Write,
)
from tests.hil.agent.batches import GETPID
from tests.hil.agent.calls import NR
from tests.hil.agent.conftest import Run

REJECTED = {
    "step 0 uses the result of step 0": Batch((Load(Result(0), 4),)),
    "step 1 uses the result of step 5": Batch((Thread(0), Load(Result(5), 4))),
    "offset 4097 is outside the arena": Batch((Load(Address(4097), 4),), arena=10),
    "value at offset 4089 is outside the arena": Batch((Load(Value(4089, 8), 4),), arena=10),
    "value at offset 0 is outside the arena": Batch((Load(Value(0, 1), 4),)),
    "5 bytes do not fit": Batch((Write(Address(4092), b"12345"),), arena=10),
    "a place must be in the arena": Batch((Write(Immediate(0), b""),)),  # type: ignore[arg-type]
    "width 3 is not": Batch((Load(Immediate(0), 3),)),
    "step 0 has 2 steps, but only 1 follow": Batch((Repeat(1, 2), Thread(0))),
    "the block of step 1 reaches past the one it is in": Batch((Process(1), Process(1), Thread(0))),
    "nested more than 8 deep": Batch(tuple(Process(9 - n) for n in range(10))),
    "the skip of step 1 crosses": Batch((Repeat(1, 1), Skip(Immediate(0), 1), Thread(0))),
    "the skip of step 0 crosses": Batch((Skip(Immediate(0), 1), Repeat(1, 2), Process(0), Process(0))),
    "thread in a repeated block": Batch((Repeat(1, 1), Thread(0))),
    "not an earlier thread": Batch((Process(0), Join(0))),
    "step 0 joins step 1": Batch((Join(1), Thread(0))),
    "already joined": Batch((Thread(0), Join(0), Join(0))),
    "join in a repeated block": Batch((Thread(0), Repeat(1, 1), Join(0))),
    "thread of another process": Batch((Thread(0), Process(1), Join(0))),
}


@pytest.mark.parametrize("complaint", REJECTED)
def test_bad_batches_are_rejected_and_the_next_one_runs(agent: Agent, complaint: str) -> None:
    rejected, following = agent.exchange([REJECTED[complaint], GETPID])
    assert rejected.end.how is How.REJECTED
    assert complaint in rejected.end.text
    assert rejected.steps == (None,) * len(REJECTED[complaint].steps)
    assert following.completed


def talk(binary: Path, data: bytes) -> tuple[int, list[wire.Frame]]:
    """Send `data` and the end of input to an agent; returns its exit status and the frames after its greeting."""
    done = subprocess.run([binary], input=data, capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    reader = wire.FrameReader()
    frames = list(reader.feed(done.stdout))
    assert reader.partial == 0
    assert frames[0].type == FrameType.HELLO
    return done.returncode, frames[1:]


BATCH_FRAME = wire.encode_batch(GETPID, 7)


def test_truncated_payloads_say_where(binary: Path) -> None:
    payload = BATCH_FRAME[12:]
    cut = b"".join(wire.encode_frame(FrameType.BATCH, size, payload[:size]) for size in range(len(payload)))
    status, frames = talk(binary, cut + BATCH_FRAME)
    assert status == 0
    assert [frame.tag for frame in frames] == [*range(len(payload)), 7]
    assert {frame.type for frame in frames[:-1]} == {FrameType.ERROR}
    assert all(frame.payload.startswith(b"at offset ") for frame in frames[:-1])
    assert frames[-1].type == FrameType.RESULT


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"wrong magic"),
        (wire.encode_frame(FrameType.RESULT, 0, b""), b"not of type BATCH"),
        (BATCH_FRAME[:8] + struct.pack("<I", (64 << 20) + 1), b"longer than 64 MiB"),
        (BATCH_FRAME[:5], b"ends inside a frame's header"),
        (BATCH_FRAME[:-1], b"ends inside a frame"),
    ],
)
def test_input_that_cannot_be_framed_ends_the_agent(binary: Path, data: bytes, complaint: bytes) -> None:
    status, frames = talk(binary, BATCH_FRAME + data)
    assert status == 2
    assert [frame.type for frame in frames] == [FrameType.RESULT, FrameType.ERROR]
    assert frames[1].tag == NO_TAG
    assert complaint in frames[1].payload


def test_end_of_input_finishes_what_was_sent(binary: Path) -> None:
    status, frames = talk(binary, BATCH_FRAME * 5)
    assert (status, len(frames)) == (0, 5)


def test_unknown_arguments_are_refused(binary: Path) -> None:
    done = subprocess.run([binary, "--help"], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"usage: hil-agent")


def test_reads_past_the_limit_of_the_agent_are_rejected(binary: Path) -> None:
    read = wire.encode_batch(Batch((Read(Address(0), Immediate(1), 1 << 26),)), 0)
    payload = bytearray(read[12:])
    payload[-4:] = struct.pack("<I", (1 << 26) + 1)
    _, frames = talk(binary, wire.encode_frame(FrameType.BATCH, 0, bytes(payload)))
    assert b"may send back more than" in frames[0].payload


def test_an_agent_without_memory_rejects_the_batch(binary: Path) -> None:
    """However little memory there is, a batch is carried out or rejected: without the check of its table of threads it
    would end by SIGSEGV, like a batch that accesses a bad address."""
    batch = Batch((Thread(1), Syscall(NR["getpid"]), Join(0), *(Syscall(NR["getpid"]) for _ in range(4000))))
    ends = set()
    for spare in range(0, 4 << 20, 32 << 10):
        stream = ProcessStream([str(binary)])
        with Agent(stream) as agent:
            room = psutil.Process(stream.pid).memory_info().vms + spare
            resource.prlimit(stream.pid, resource.RLIMIT_AS, (room, room))
            try:
                (result,) = agent.exchange([batch])
            except AgentLost:
                continue  # not even the frame fits, and the agent says so and ends
        ends.add(result.end.how)
    assert ends == {How.COMPLETED, How.REJECTED}


def test_a_batch_without_a_descriptor_for_its_reads_is_rejected(stream: ProcessStream, run: Run) -> None:
    resource.prlimit(stream.pid, resource.RLIMIT_NOFILE, (3, 3))
    end = run(Batch((Read(Address(0), Immediate(8), 8),), arena=8)).end
    assert end.how is How.REJECTED
    assert "could not set itself up: Too many open files" in end.text
