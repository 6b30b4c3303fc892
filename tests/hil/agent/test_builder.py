# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hil.agent.builder import BatchBuilder
from hil.agent.steps import Address, Immediate, Process, Read, Repeat, Result, Skip, Syscall, Thread, Write


def test_arena_is_laid_out_aligned() -> None:
    b = BatchBuilder()
    assert b.alloc(b"abc") == Address(0)
    assert b.alloc(16) == Address(8)
    assert b.alloc(b"", align=64) == Address(64)
    assert b.alloc(1, align=1) == Address(64)
    batch = b.build()
    assert batch.arena == 65
    assert batch.image == (Write(Address(0), b"abc"),)


def test_blocks_count_their_steps() -> None:
    b = BatchBuilder()
    call = b.syscall(1, 2)
    with b.unless_failed(call):
        b.syscall(2)
        with b.repeat(7):
            b.syscall(3)
            b.syscall(4)
    with b.thread() as thread:
        b.syscall(5)
    with b.process() as process:
        pass
    b.join(thread)
    steps = b.build().steps
    assert steps[0] == Syscall(1, (Immediate(2),))
    assert steps[1] == Skip(Result(0), 4)
    assert steps[3] == Repeat(7, 2)
    assert steps[thread.step] == Thread(1)
    assert steps[process.step] == Process(0)
    assert len(b) == 10


def test_maximum_of_a_read_follows_from_a_plain_length() -> None:
    b = BatchBuilder()
    length = b.syscall(0)
    b.read(Address(0), 12)
    assert b.build().steps[1] == Read(Address(0), Immediate(12), 12)
    with pytest.raises(TypeError, match="needs a maximum"):
        b.read(Address(0), length)
