# SPDX-License-Identifier: MIT
from __future__ import annotations

import struct

import pytest

from hil.agent import wire
from hil.agent.codes import NO_TAG, PROTOCOL_VERSION, FrameType
from hil.agent.results import How, Status
from hil.agent.steps import (
    MAX_STEPS,
    Address,
    Batch,
    Immediate,
    Join,
    Load,
    Parse,
    Pin,
    Process,
    Read,
    Repeat,
    Result,
    Skip,
    Step,
    Store,
    Syscall,
    Thread,
    Value,
    Write,
)

IMMEDIATE_5 = "00 0500000000000000"
ADDRESS_16 = "01 1000000000000000"
RESULT_2 = "02 0200000000000000"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Write(Address(16), b"ab"), f"01 {ADDRESS_16} 02000000 6162"),
        (Store(Address(16), 4, Immediate(5)), f"02 04 {ADDRESS_16} {IMMEDIATE_5}"),
        (Load(Result(2), 8), f"03 08 {RESULT_2}"),
        (Syscall(321, (Immediate(5), Result(2))), f"04 41010000 02 {IMMEDIATE_5} {RESULT_2}"),
        (Syscall(0x101, (Immediate(-1),)), "04 01010000 01 00 ffffffffffffffff"),
        (Read(Address(16), Result(2), 64), f"05 {ADDRESS_16} {RESULT_2} 40000000"),
        (Parse(Address(16), Immediate(5), 16), f"06 {ADDRESS_16} {IMMEDIATE_5} 10"),
        (Skip(Result(2), 3), f"07 {RESULT_2} 03000000"),
        (Repeat(1000, 2), "08 e8030000 02000000"),
        (Thread(2), "09 02000000"),
        (Join(7), "0a 07000000"),
        (Process(1), "0b 01000000"),
        (Pin(Value(3, 2)), "0c 04 0300000000000000"),
    ],
)
def test_steps_are_encoded_as_documented(step: Step, expected: str) -> None:
    frame = wire.encode_batch(Batch((step,), arena=4096, image=(Write(Address(16), b"z"),), deadline=0.25), 9)
    payload = bytes.fromhex(
        f"fa000000 00100000 01000000 01000000 {ADDRESS_16} 01000000 7a {expected}"  # deadline arena pieces steps
    )
    assert frame == bytes.fromhex("484c 0100 09000000") + struct.pack("<I", len(payload)) + payload


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        (Batch((Thread(0),) * (MAX_STEPS + 1)), "65536 steps"),
        (Batch((), arena=(64 << 20) + 1), "an arena of 67108865 bytes"),
        (Batch((), deadline=0), "a deadline of 0 s"),
        (Batch((), deadline=4000), "a deadline of 4000 s"),
        (
            Batch((Read(Address(0), Immediate(1), 1 << 26), Read(Address(0), Immediate(1), 1))),
            "reads of up to 67108865",
        ),
        (Batch((Syscall(1, (Immediate(0),) * 7),)), "7 arguments"),
        (Batch((Load(Address(-1), 4),)), "step 0 cannot be sent"),
        (Batch((Load(Value(0, 3), 4),)), "step 0 cannot be sent"),
        (Batch((), image=(Write(Address(0), bytes(64 << 20)),)), "bytes, at most 67108864 fit"),
    ],
)
def test_limits_are_checked_before_anything_is_sent(batch: Batch, complaint: str) -> None:
    with pytest.raises(wire.BatchError, match=complaint):
        wire.encode_batch(batch, 0)


def answer(tag: int = 4, count: int = 2, data: bytes = b"xyz", status: int = 2) -> bytes:
    """The RESULT frame of a batch of three steps that was killed in its last one."""
    payload = struct.pack("<HHIiQ", 1, count, 2, 9, 1_500_000_000)
    payload += struct.pack("<IHHqI", 0, status, 0, 3, 3) + struct.pack("<IHHqI", 2, 1, 0, -125, 0) + data
    return wire.encode_frame(FrameType.RESULT, tag, payload)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_answers_are_decoded_however_they_are_chopped_up(step: int) -> None:
    stream = answer(4) + answer(5)
    reader = wire.FrameReader()
    frames = [frame for at in range(0, len(stream), step) for frame in reader.feed(stream[at : at + step])]
    assert [frame.tag for frame in frames] == [4, 5]
    assert reader.partial == 0
    result = wire.decode_answer(frames[0], 4, 3)
    assert str(result.end) == "killed by SIGKILL at step 2"
    assert result.end.elapsed == 1.5
    assert result.done(0).data == b"xyz"
    assert result[1] is None
    assert result.steps[2] is not None and result.steps[2].status is Status.RUNNING
    with pytest.raises(LookupError, match="killed by SIGKILL"):
        result.done(2)


@pytest.mark.parametrize(
    "damaged",
    [
        *(answer(data=b"xy"), answer(data=b"wxyz"), answer(count=3), answer(count=1), answer(status=9)),
        answer()[:8] + bytes(4),
    ],
)
def test_damaged_answers_are_refused(damaged: bytes) -> None:
    (frame,) = wire.FrameReader().feed(damaged[:12] if damaged[8:12] == bytes(4) else damaged)
    with pytest.raises(wire.WireError, match="answer to batch 4 is damaged"):
        wire.decode_answer(frame, 4, 3)


def test_results_of_steps_that_do_not_exist_are_refused() -> None:
    (frame,) = wire.FrameReader().feed(answer())
    with pytest.raises(wire.WireError, match="damaged"):
        wire.decode_answer(frame, 4, 2)


def test_answers_to_another_batch_are_refused() -> None:
    (frame,) = wire.FrameReader().feed(answer(5))
    with pytest.raises(wire.WireError, match="answers batch 5"):
        wire.decode_answer(frame, 4, 3)


def test_errors_become_rejections() -> None:
    (frame,) = wire.FrameReader().feed(wire.encode_frame(FrameType.ERROR, 4, b"at offset 3: no"))
    result = wire.decode_answer(frame, 4, 2)
    assert result.end.how is How.REJECTED
    assert str(result.end) == "rejected: at offset 3: no"
    assert result.steps == (None, None)


def test_other_programs_are_recognized() -> None:
    with pytest.raises(wire.WireError, match="does not answer like the agent") as caught:
        list(wire.FrameReader().feed(b"sh: hil-agent: not found\n"))
    assert "not found" in caught.value.details


def hello(version: int = PROTOCOL_VERSION, texts: bytes = b"\x03\x00abc\x04\x004.19") -> wire.Frame:
    return wire.Frame(FrameType.HELLO, NO_TAG, struct.pack("<IIII", version, 4096, 2, 77) + texts)


def test_greeting() -> None:
    greeting = wire.decode_hello(hello())
    assert (greeting.page_size, greeting.cpus, greeting.pid) == (4096, 2, 77)
    assert (greeting.machine, greeting.release) == ("abc", "4.19")


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (hello(version=1), "version 1 of the protocol"),
        (hello(texts=b"\x03\x00ab"), "damaged"),
        (wire.Frame(FrameType.RESULT, 0, b""), "does not begin with its greeting"),
    ],
)
def test_bad_greetings_are_refused(frame: wire.Frame, complaint: str) -> None:
    with pytest.raises(wire.WireError, match=complaint):
        wire.decode_hello(frame)
