# SPDX-License-Identifier: MIT
"""Random input for an agent built with sanitizers: it answers or exits with an error, and never reads out of bounds."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hil.agent import wire
from hil.agent.client import Agent
from hil.agent.codes import NO_TAG, FrameType
from hil.agent.local import ProcessStream
from hil.agent.results import How
from hil.agent.steps import (
    MAX_ANSWER,
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
    Value,
    Write,
)
from hil.errors import BenchError
from tests.hil.agent.calls import NR
from tests.hil.agent.conftest import CompileAgent

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
# The batch's process must end by its own signals, as it does without the sanitizers.
OPTIONS = "handle_segv=0:handle_sigbus=0:detect_leaks=0:abort_on_error=1"

FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def sanitized(compile_host_agent: CompileAgent) -> Path:
    try:
        return compile_host_agent(*SANITIZERS)
    except BenchError as error:
        pytest.skip(f"no sanitizers: {error.details.strip().splitlines()[-1]}")


class Checker:
    """A sanitized agent that decodes batches, but runs nothing."""

    def __init__(self, binary: Path) -> None:
        environment = {**os.environ, "ASAN_OPTIONS": OPTIONS + f":log_path={binary.parent}/complaint"}
        self._logs = binary.parent
        self._process = subprocess.Popen(
            [binary, "--check"], bufsize=0, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._reader = wire.FrameReader()
        (self.hello,) = self._frames(1)

    def answers(self, payloads: list[bytes]) -> list[wire.Frame]:
        """The answers to batches with these payloads, which get the tags 0, 1, ..."""
        self._stdin.write(b"".join(wire.encode_frame(FrameType.BATCH, tag, data) for tag, data in enumerate(payloads)))
        frames = self._frames(len(payloads))
        assert [frame.tag for frame in frames] == list(range(len(payloads)))
        return frames

    def end(self, data: bytes) -> tuple[int, list[wire.Frame]]:
        """Send `data` and the end of input; returns its exit status and last frames."""
        rest, _ = self._process.communicate(data, timeout=60)
        return self._process.returncode, list(self._reader.feed(rest))

    def _frames(self, count: int) -> list[wire.Frame]:
        frames: list[wire.Frame] = []
        while len(frames) < count:
            data = self._stdout.read(1 << 16)
            complaints = [log.read_text() for log in self._logs.glob("complaint*")]
            assert data, f"the agent ended with status {self._process.wait()}: {complaints}"
            frames.extend(self._reader.feed(data))
        return frames


@pytest.fixture(scope="module")
def checker(sanitized: Path) -> Iterator[Checker]:
    checker = Checker(sanitized)
    yield checker
    assert checker.end(b"") == (0, [])


MOST_STEPS = 12  # all of them may be reads, and must not ask for more than can be sent
small = st.one_of(st.integers(0, 20), st.sampled_from([4095, 4096, 4097, 1 << 26, 2**31, 2**32 - 1]))
offsets = st.one_of(small, st.integers(0, 2**64 - 1))
widths = st.sampled_from([1, 2, 4, 8])
operands: st.SearchStrategy[Operand] = st.one_of(
    st.builds(Immediate, offsets),
    st.builds(Address, offsets),
    st.builds(Result, offsets),
    st.builds(Value, offsets, widths),
)
places = st.builds(Address, small)
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Write, places, st.binary(max_size=40)),
    st.builds(Store, operands, st.integers(0, 9), operands),
    st.builds(Load, operands, st.integers(0, 9)),
    st.builds(Syscall, small, st.lists(operands, max_size=6).map(tuple)),
    st.builds(Read, operands, operands, st.integers(0, MAX_ANSWER // MOST_STEPS)),
    st.builds(Parse, operands, operands, st.integers(0, 20)),
    st.builds(Skip, operands, small),
    st.builds(Repeat, small, small),
    st.builds(Thread, small),
    st.builds(Join, small),
    st.builds(Process, small),
    st.builds(Pin, operands),
)
batches = st.builds(
    Batch,
    st.lists(steps, max_size=MOST_STEPS).map(tuple),
    st.sampled_from([0, 1, 64, 4096, 8192]),
    st.just(()),
    st.just(1.0),
)


def payload(batch: Batch) -> bytes:
    return wire.encode_batch(batch, 0)[12:]


@settings(FEW, max_examples=40)
@given(data=st.binary(max_size=200))
def test_any_bytes(sanitized: Path, data: bytes) -> None:
    status, frames = Checker(sanitized).end(data)
    gave_up = bool(frames) and frames[-1].type == FrameType.ERROR and frames[-1].tag == NO_TAG
    assert status == (2 if gave_up else 0)


@FEW
@given(payloads=st.lists(st.binary(max_size=120), max_size=8))
def test_any_payload(checker: Checker, payloads: list[bytes]) -> None:
    checker.answers(payloads)


@FEW
@given(some=st.lists(batches, max_size=8))
def test_any_steps(checker: Checker, some: list[Batch]) -> None:
    for batch, frame in zip(some, checker.answers([payload(batch) for batch in some]), strict=True):
        assert frame.type in (FrameType.RESULT, FrameType.ERROR)
        wire.decode_answer(frame, frame.tag, len(batch.steps))


@FEW
@given(batch=batches, data=st.data())
def test_damaged_batches(checker: Checker, batch: Batch, data: st.DataObject) -> None:
    damaged = bytearray(payload(batch))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    checker.answers([bytes(damaged[:cut]), b""])


def test_huge_counts_take_no_memory(checker: Checker) -> None:
    (frame,) = checker.answers([struct.pack("<IIII", 1000, 0, 0xFFFF_FFFF, 65535)])
    assert frame.type == FrameType.ERROR
    assert b"4294967295 pieces in 16 bytes" in frame.payload


# Steps that may really be run: any memory access, but only system calls without effect.
harmless: st.SearchStrategy[Step] = st.one_of(
    st.builds(Write, places, st.binary(max_size=40)),
    st.builds(Store, operands, widths, operands),
    st.builds(Load, operands, widths),
    st.builds(Syscall, st.sampled_from([NR["getpid"], NR["gettid"], NR["getuid"]]), st.just(())),
    st.builds(Read, operands, operands, st.integers(0, 1 << 16)),
    st.builds(Parse, operands, operands, st.sampled_from([8, 10, 16])),
    st.builds(Skip, operands, st.integers(0, 3)),
    st.builds(Repeat, st.integers(0, 5), st.integers(0, 3)),
    st.builds(Thread, st.integers(0, 3)),
    st.builds(Process, st.integers(0, 3)),
    st.builds(Pin, operands),
)
harmless_batches = st.builds(
    Batch, st.lists(harmless, max_size=12).map(tuple), st.sampled_from([0, 64, 8192]), st.just(()), st.just(5.0)
)


UNMAPPED = Immediate(1 << 31)
"""An address at which AddressSanitizer has its own memory."""


@settings(FEW, max_examples=60)
@given(some=st.lists(harmless_batches, min_size=1, max_size=6))
@example(some=[Batch((Parse(UNMAPPED, Immediate(4095), 8), Read(UNMAPPED, Immediate(9), 9)), deadline=5.0)])
def test_any_harmless_batch_runs_to_an_end(sanitized: Path, some: list[Batch]) -> None:
    environment = ["env", f"ASAN_OPTIONS={OPTIONS}", str(sanitized)]
    with Agent(ProcessStream(environment)) as agent:
        *results, last = agent.exchange([*some, Batch((Syscall(NR["getpid"]),))])
    assert last.completed
    for result in results:  # a sanitizer's complaint is an abort, or an exit
        assert result.end.how is not How.EXITED
        assert (result.end.how, result.end.detail) != (How.SIGNALLED, signal.SIGABRT)
