# SPDX-License-Identifier: MIT
"""The agent's wire format (`guest/WIRE.md`): batches to frames, frames to results."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hil.agent.codes import FRAME_MAGIC, PROTOCOL_VERSION, FrameType, OperandKind, StepCode
from hil.agent.results import BatchResult, End, Hello, How, Status, StepResult
from hil.agent.steps import (
    MAX_ANSWER,
    MAX_ARENA,
    MAX_ARGUMENTS,
    MAX_DEADLINE,
    MAX_FRAME,
    MAX_STEPS,
    Address,
    Batch,
    Immediate,
    Join,
    Load,
    Operand,
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
    Write,
)
from hil.errors import BenchError, UserError

FRAME_HEADER = struct.Struct("<HHII")
_BATCH = struct.Struct("<IIII")
_OPERAND = struct.Struct("<BQ")
_LENGTH = struct.Struct("<I")
_SYSCALL = struct.Struct("<BIB")
RESULT_HEADER = struct.Struct("<HHIiQ")
RESULT_RECORD = struct.Struct("<IHHqI")
_HELLO = struct.Struct("<IIII")
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_IMMEDIATE, _ADDRESS, _RESULT = map(int, (OperandKind.IMMEDIATE, OperandKind.ADDRESS, OperandKind.RESULT))
_STATUS = {int(status): status for status in Status}
_VALUE_KINDS = {
    1: OperandKind.VALUE8,
    2: OperandKind.VALUE16,
    4: OperandKind.VALUE32,
    8: OperandKind.VALUE64,
}


class WireError(BenchError):
    """The agent's output is not its wire format: another program, another version, or a damaged stream."""


class BatchError(UserError):
    """A batch cannot be sent: it exceeds a limit, or a number does not fit its field."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame from the agent."""

    type: int
    tag: int
    payload: bytes


def encode_frame(type: int, tag: int, payload: bytes) -> bytes:
    return FRAME_HEADER.pack(FRAME_MAGIC, type, tag, len(payload)) + payload


def encode_batch(batch: Batch, tag: int) -> bytes:
    """The BATCH frame; raises BatchError when the batch exceeds a limit. The agent checks the rules on blocks and
    indices."""
    _check(len(batch.steps) <= MAX_STEPS, f"{len(batch.steps)} steps, at most {MAX_STEPS} fit into one")
    _check(0 <= batch.arena <= MAX_ARENA, f"an arena of {batch.arena} bytes, at most {MAX_ARENA} are possible")
    _check(0.001 <= batch.deadline <= MAX_DEADLINE, f"a deadline of {batch.deadline} s, not 0.001 to {MAX_DEADLINE}")
    answer = sum(step.maximum for step in batch.steps if isinstance(step, Read))
    _check(answer <= MAX_ANSWER, f"reads of up to {answer} bytes, at most {MAX_ANSWER} are possible")
    header = _BATCH.pack(round(batch.deadline * 1000), batch.arena, len(batch.image), len(batch.steps))
    parts = [header, *map(_piece, batch.image)]
    for index, step in enumerate(batch.steps):
        try:
            parts.append(_step(step))
        except (struct.error, KeyError) as error:
            raise BatchError(
                f"step {index} cannot be sent: {step}", remedy=f"keep each number within its field: {error}"
            ) from None
    payload = b"".join(parts)
    _check(len(payload) <= MAX_FRAME, f"{len(payload)} bytes, at most {MAX_FRAME} fit into one")
    return encode_frame(FrameType.BATCH, tag, payload)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise BatchError(f"the batch cannot be sent: {what}", remedy="make it smaller or split it into several")


def _operand(operand: Operand) -> bytes:
    # Not by patterns, which take twice as long: a case has more than a hundred operands.
    if isinstance(operand, Immediate):
        return _OPERAND.pack(_IMMEDIATE, operand.value & _U64)
    if isinstance(operand, Address):
        return _OPERAND.pack(_ADDRESS, operand.offset)
    if isinstance(operand, Result):
        return _OPERAND.pack(_RESULT, operand.step)
    return _OPERAND.pack(_VALUE_KINDS[operand.width], operand.offset)


def _piece(piece: Write) -> bytes:
    return _operand(piece.place) + _LENGTH.pack(len(piece.data)) + piece.data


def _code(code: StepCode) -> bytes:
    return bytes([code])


def _step(step: Step) -> bytes:
    match step:
        case Write():
            return _code(StepCode.WRITE) + _piece(step)
        case Store(address, width, value):
            return struct.pack("<BB", StepCode.STORE, width) + _operand(address) + _operand(value)
        case Load(address, width):
            return struct.pack("<BB", StepCode.LOAD, width) + _operand(address)
        case Syscall(number, arguments):
            if len(arguments) > MAX_ARGUMENTS:
                raise BatchError(f"system call {number} with {len(arguments)} arguments", remedy="there are at most 6")
            return _SYSCALL.pack(StepCode.SYSCALL, number, len(arguments)) + b"".join(map(_operand, arguments))
        case Read(address, length, maximum):
            return _code(StepCode.READ) + _operand(address) + _operand(length) + struct.pack("<I", maximum)
        case Parse(address, length, base):
            return _code(StepCode.PARSE) + _operand(address) + _operand(length) + struct.pack("<B", base)
        case Skip(condition, count):
            return _code(StepCode.SKIP) + _operand(condition) + struct.pack("<I", count)
        case Repeat(times, count):
            return struct.pack("<BII", StepCode.REPEAT, times, count)
        case Thread(count):
            return struct.pack("<BI", StepCode.THREAD, count)
        case Join(thread):
            return struct.pack("<BI", StepCode.JOIN, thread)
        case Process(count):
            return struct.pack("<BI", StepCode.PROCESS, count)
        case Pin(cpu):
            return _code(StepCode.PIN) + _operand(cpu)


class FrameReader:
    """Splits a stream that arrives in arbitrary pieces into frames. WireError at the first header that is not one."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def partial(self) -> int:
        """The number of bytes received of a frame that is not complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Append `data` (when iterated) and yield the frames that are complete."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= FRAME_HEADER.size:
                magic, type, tag, length = FRAME_HEADER.unpack_from(self._buffer, at)
                if magic != FRAME_MAGIC or type not in (FrameType.HELLO, FrameType.RESULT, FrameType.ERROR):
                    raise WireError(
                        "the program on the target does not answer like the agent",
                        remedy="see what the program printed",
                        details=repr(bytes(self._buffer[at : at + 200])),
                    )
                end = at + FRAME_HEADER.size + length
                if len(self._buffer) < end:
                    break
                frame = Frame(type, tag, bytes(self._buffer[at + FRAME_HEADER.size : end]))
                at = end
                yield frame
        finally:
            del self._buffer[:at]


def decode_hello(frame: Frame) -> Hello:
    """The greeting in `frame`; raises WireError when it is another frame, or of another version of the protocol."""
    if frame.type != FrameType.HELLO:
        raise WireError("the agent does not begin with its greeting", details=repr(frame)[:200])
    try:
        version, page_size, cpus, pid = _HELLO.unpack_from(frame.payload)
        if version != PROTOCOL_VERSION:
            raise WireError(
                f"the agent speaks version {version} of the protocol, we speak {PROTOCOL_VERSION}",
                remedy="build the guest root again",
            )
        texts, at = [], _HELLO.size
        for _ in range(2):
            (length,) = struct.unpack_from("<H", frame.payload, at)
            (text,) = struct.unpack_from(f"{length}s", frame.payload, at + 2)
            texts.append(text.decode())
            at += 2 + length
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(f"the agent's greeting is damaged: {error}") from None
    return Hello(version, page_size, cpus, pid, *texts)


def decode_answer(frame: Frame, tag: int, count: int) -> BatchResult:
    """The answer in `frame` to batch `tag`, which has `count` steps; raises WireError when it is not that."""
    if frame.type == FrameType.ERROR:
        text = frame.payload.decode(errors="replace")
        if frame.tag != tag:
            raise WireError(f"the agent gave up on the stream: {text}")
        return BatchResult(End(How.REJECTED, text=text), (None,) * count)
    if frame.type != FrameType.RESULT or frame.tag != tag:
        raise WireError(f"the agent answers batch {frame.tag} (frame type {frame.type}) instead of {tag}")
    try:
        how, records, step, detail, elapsed = RESULT_HEADER.unpack_from(frame.payload)
        end = End(How(how), step, detail, elapsed / 1e9)
        data = RESULT_HEADER.size + records * RESULT_RECORD.size
        steps: list[StepResult | None] = [None] * count
        for index, status, errno, value, length in RESULT_RECORD.iter_unpack(frame.payload[RESULT_HEADER.size : data]):
            known = _STATUS.get(status) or Status(status)
            steps[index] = StepResult(known, value, errno, frame.payload[data : data + length])
            data += length
    except (struct.error, ValueError, IndexError) as error:
        raise WireError(f"the agent's answer to batch {tag} is damaged: {error}") from None
    if data != len(frame.payload):
        raise WireError(f"the agent's answer to batch {tag} is damaged: {len(frame.payload)} bytes instead of {data}")
    return BatchResult(end, tuple(steps))
