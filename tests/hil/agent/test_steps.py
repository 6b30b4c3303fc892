# SPDX-License-Identifier: MIT
"""Every step and operand, carried out by a real agent on this host."""

from __future__ import annotations

import errno
import mmap
import os
import struct

import pytest

from hil.agent.builder import BatchBuilder
from hil.agent.client import Agent
from hil.agent.results import How, Status, StepResult
from hil.agent.steps import Address, Value
from tests.hil.agent.calls import NR
from tests.hil.agent.conftest import Run

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="changes its user, which takes root")


def test_greeting_describes_this_host(agent: Agent) -> None:
    assert agent.hello.page_size == mmap.PAGESIZE
    assert agent.hello.release == os.uname().release
    assert agent.hello.machine == os.uname().machine
    assert agent.hello.cpus == os.sysconf("SC_NPROCESSORS_ONLN")


def test_arena_holds_the_image_and_is_zero_elsewhere(run: Run) -> None:
    b = BatchBuilder()
    text = b.alloc(b"abc")
    tail = b.alloc(b"xyz")
    front, last = b.read(text, 5), b.read(tail, 3)
    result = run(b.build())
    assert result.completed
    assert result.done(front).data == b"abc\0\0"
    assert result.done(last).data == b"xyz"


def test_each_batch_has_a_fresh_arena(agent: Agent) -> None:
    b = BatchBuilder()
    room = b.alloc(8)
    before = b.load(room, 8)
    b.store(room, 8, 77)
    after = b.load(room, 8)
    for result in agent.exchange([b.build()] * 3):
        assert (result.done(before).value, result.done(after).value) == (0, 77)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("offset", [0, 1, 8])
def test_store_load_and_value(run: Run, width: int, offset: int) -> None:
    b = BatchBuilder()
    room = b.alloc(bytes([0xFF] * 24)) + offset
    b.store(room, width, 0x8182838485868788)
    loaded = b.load(room, width)
    through_value = b.syscall(NR["kill"], 0x7FFFFFFF, Value(room.offset, width))  # any use of the operand
    copied = b.store(room + width, width, Value(room.offset, width))
    seen = b.read(Address(0), 24)
    result = run(b.build())
    number = 0x8182838485868788.to_bytes(8, "little")[:width]
    assert result.done(loaded).unsigned == int.from_bytes(number, "little")
    assert result.done(through_value).value < 0
    assert result.done(copied).value == 0
    assert result.done(seen).data == (b"\xff" * offset + number * 2).ljust(24, b"\xff")


def test_results_feed_later_steps(run: Run) -> None:
    b = BatchBuilder()
    room = b.alloc(8)
    pid = b.syscall(NR["getpid"])
    b.store(room, 4, pid)
    again = b.load(room, 4)
    alive = b.syscall(NR["kill"], pid, 0)
    failed = b.syscall(NR["close"], 99)
    b.store(room, 8, failed)
    negative = b.load(room, 8)
    result = run(b.build())
    assert result.done(again).value == result.done(pid).value > 0
    assert result.done(alive).value == 0
    assert (result.done(failed).value, result.done(failed).error) == (-errno.EBADF, "EBADF")
    assert result.done(negative).value == -errno.EBADF
    assert result.done(negative).errno == 0


def test_write_in_mid_batch(run: Run) -> None:
    b = BatchBuilder()
    room = b.alloc(b"before")
    first = b.read(room, 6)
    wrote = b.write(room, b"after!")
    second = b.read(room, 6)
    tail = b.alloc(2)
    b.write(tail, b"ok")
    third = b.read(tail, 2)
    result = run(b.build())
    assert [result.done(step).data for step in (first, second, third)] == [b"before", b"after!", b"ok"]
    assert result.done(wrote).value == 6


def test_memory_that_cannot_be_read_is_an_error_of_the_step(run: Run) -> None:
    b = BatchBuilder()
    page = mmap.PAGESIZE
    b.alloc(3 * page)
    nothing = b.read(0, 16)
    guard = b.read(Address(3 * page), 1)
    short = b.read(Address(page - 5), 3 * page)
    bounded = b.read(Address(0), 1 << 40, 7)
    negative = b.read(Address(0), -5, 7)
    empty = b.read(0, 0, 7)
    text = b.parse(0, 5)
    call = b.syscall(NR["write"], 0, Address(3 * page), 1)
    result = run(b.build())
    assert result.completed
    assert (result.done(nothing).value, result.done(nothing).error) == (-errno.EFAULT, "EFAULT")
    assert result.done(guard).error == "EFAULT"
    assert result.done(short).value == len(result.done(short).data) == 2 * page + 5
    assert result.done(bounded).data == bytes(7)
    assert result.done(negative).error == "EINVAL"
    assert (result.done(empty).value, result.done(empty).data) == (0, b"")
    assert result.done(text).error == "EFAULT"
    assert result.done(call).value == 1  # /dev/null does not look at the bytes


@pytest.mark.parametrize(
    ("text", "base", "value", "error"),
    [
        (b"1234\n", 10, 1234, ""),
        (b" \t\n 42 7", 10, 42, ""),
        (b"0x1fG", 16, 0x1F, ""),
        (b"ffFF", 16, 0xFFFF, ""),
        (b"0x", 16, 0, ""),
        (b"755", 8, 0o755, ""),
        (b"79", 8, 7, ""),
        (b"18446744073709551615", 10, -1, ""),
        (b"18446744073709551616", 10, -errno.ERANGE, "ERANGE"),
        (b"99999999999999999999999", 10, -errno.ERANGE, "ERANGE"),
        (b"-1", 10, -errno.EINVAL, "EINVAL"),
        (b"", 10, -errno.EINVAL, "EINVAL"),
        (b"   ", 10, -errno.EINVAL, "EINVAL"),
        (b" " * 255 + b"77", 10, 7, ""),
    ],
)
def test_parse(run: Run, text: bytes, base: int, value: int, error: str) -> None:
    b = BatchBuilder()
    number = b.parse(b.alloc(text), len(text), base)
    result = run(b.build()).done(number)
    assert (result.value, result.error) == (value, error)


def test_steps_after_a_failed_one_are_skipped(run: Run) -> None:
    b = BatchBuilder()
    failed = b.syscall(NR["close"], 99)
    with b.unless_failed(failed) as skip:
        inner = b.syscall(NR["getpid"])
        with b.unless_failed(inner) as inner_skip:
            b.syscall(NR["getpid"])
    with b.unless_failed(inner) as after:  # a skipped step counts as failed
        b.syscall(NR["getpid"])
    last = b.syscall(NR["getpid"])
    with b.unless_failed(last) as none:
        carried_out = b.syscall(NR["getpid"])
    result = run(b.build())
    assert result.done(skip).value == 3
    assert result.done(after).value == 1
    for step in (inner, inner_skip, 4, 6):
        skipped = result[step]
        assert skipped is not None and skipped.status is Status.SKIPPED
        assert skipped.value == -errno.ECANCELED
    assert result.done(none).value == 0
    assert result.done(carried_out).value == result.done(last).value


def test_repeat_counts_rounds_and_keeps_the_last(run: Run) -> None:
    b = BatchBuilder()
    with b.repeat(5) as rounds:
        fd = b.syscall(NR["dup"], 0)
    with b.repeat(0) as never:
        unreached = b.syscall(NR["getpid"])
    result = run(b.build())
    assert result.done(rounds).value == 5
    assert result.done(fd).value == 3 + 4
    assert result.done(never).value == 0
    assert result[unreached] is None


def test_steps_for_a_failure_are_done_after_one_only(run: Run) -> None:
    b = BatchBuilder()
    done, failed = b.syscall(NR["getpid"]), b.syscall(NR["close"], 99)
    with b.if_failed(done):
        left_out = b.syscall(NR["getpid"])
    with b.if_failed(failed), b.if_failed(left_out):
        carried_out = b.syscall(NR["getpid"])
        twice = b.syscall(NR["getpid"])
    last = b.syscall(NR["getpid"])
    result = run(b.build())
    assert result[left_out] == StepResult(Status.SKIPPED, -errno.ECANCELED)
    assert result.done(carried_out).value == result.done(twice).value == result.done(last).value > 0


def test_repeat_sees_the_last_round_of_a_skip_afresh(run: Run) -> None:
    """A step that a round skips has no result of an earlier round."""
    b = BatchBuilder()
    flag = b.alloc(8)
    with b.repeat(2):
        condition = b.load(flag, 8)
        with b.unless_failed(condition):
            inner = b.syscall(NR["getpid"])
        b.store(flag, 8, -1)
    result = run(b.build())
    assert result[inner] == StepResult(Status.SKIPPED, -errno.ECANCELED)


def test_threads_run_concurrently(run: Run) -> None:
    """The main line continues, and sees no flag yet, while the thread sleeps before it sets it."""
    b = BatchBuilder()
    request = b.alloc(struct.pack("<QQ", 0, 20_000_000))
    flag = b.alloc(8)
    with b.thread() as thread:
        thread_id = b.syscall(NR["gettid"])
        b.pin(0)
        b.syscall(NR["nanosleep"], request, 0)
        b.store(flag, 8, 1)
        bytes_there = b.read(flag, 8)
    early = b.load(flag, 8)
    main_id = b.syscall(NR["gettid"])
    joined = b.join(thread)
    late = b.load(flag, 8)
    result = run(b.build())
    assert result.completed
    assert result.done(thread_id).value != result.done(main_id).value
    assert result.done(joined).value == 0
    assert result.done(late).value == 1
    assert result.done(early).value == 0
    assert result.done(bytes_there).data == b"\1" + bytes(7)


def test_many_threads_read_at_once(run: Run) -> None:
    b = BatchBuilder()
    blocks = [b.alloc(bytes([n]) * 5000) for n in range(16)]
    reads, threads = [], []
    for block in blocks:
        with b.thread() as thread, b.repeat(50):
            reads.append(b.read(block, 5000))
        threads.append(thread)
    for thread in threads:
        b.join(thread)
    result = run(b.build(60))
    assert [set(result.done(read).data) for read in reads] == [{n} for n in range(16)]


def test_a_thread_that_was_skipped_cannot_be_joined(run: Run) -> None:
    b = BatchBuilder()
    with b.unless_failed(b.syscall(NR["close"], 99)), b.thread() as thread:
        pass
    joined = b.join(thread)
    assert run(b.build()).done(joined).error == "ESRCH"


def test_a_thread_that_is_not_joined_ends_with_the_batch(run: Run) -> None:
    b = BatchBuilder()
    request = b.alloc(struct.pack("<QQ", 100, 0))
    with b.thread():
        asleep = b.syscall(NR["nanosleep"], request, 0)
    b.syscall(NR["nanosleep"], b.alloc(struct.pack("<QQ", 0, 200_000_000)), 0)
    result = run(b.build(60))
    assert result.completed
    step = result[asleep]
    assert step is not None and step.status is Status.RUNNING


@ROOT
def test_process_has_its_own_credentials_and_descriptors(run: Run) -> None:
    b = BatchBuilder()
    status = b.alloc(b"\xff" * 4)
    note = b.alloc(b"parent")
    with b.process() as child:
        own_pid = b.syscall(NR["getpid"])
        b.syscall(NR["setuid"], 65534)
        uid = b.syscall(NR["getuid"])
        fd = b.syscall(NR["dup"], 0)
        b.write(note, b"child!")
        inside = b.read(note, 6)
    waited = b.syscall(NR["wait4"], child, status, 0, 0)
    code = b.load(status, 4)
    outer_uid = b.syscall(NR["getuid"])
    outer_fd = b.syscall(NR["dup"], 0)
    outside = b.read(note, 6)
    result = run(b.build())
    assert result.completed
    pids = {result.done(step).value for step in (child, own_pid, waited)}
    assert len(pids) == 1
    assert result.done(code).value == 0
    assert (result.done(uid).value, result.done(outer_uid).value) == (65534, 0)
    assert result.done(fd).value == result.done(outer_fd).value == 3
    assert (result.done(inside).data, result.done(outside).data) == (b"child!", b"parent")


def test_results_inside_a_process_are_usable_after_the_wait(run: Run) -> None:
    b = BatchBuilder()
    room = b.alloc(8)
    with b.process() as child:
        inner = b.syscall(NR["getpid"])
    b.syscall(NR["wait4"], child, 0, 0, 0)
    b.store(room, 8, inner)
    seen = b.load(room, 8)
    result = run(b.build())
    assert result.done(seen).value == result.done(child).value


def test_processes_can_be_repeated(run: Run) -> None:
    b = BatchBuilder()
    with b.repeat(20) as rounds:
        with b.process() as child:
            b.syscall(NR["getpid"])
        waited = b.syscall(NR["wait4"], child, 0, 0, 0)
    result = run(b.build(60))
    assert result.done(rounds).value == 20
    assert result.done(waited).value == result.done(child).value


def test_pin(run: Run) -> None:
    b = BatchBuilder()
    mask = b.alloc(128)
    cpu = max(os.sched_getaffinity(0))
    pinned = b.pin(cpu)
    b.syscall(NR["sched_getaffinity"], 0, 128, mask)
    seen = b.read(mask, 128)
    too_high = b.pin(1 << 20)
    none_such = b.pin(1023)
    result = run(b.build())
    assert result.done(pinned).value == 0
    assert int.from_bytes(result.done(seen).data, "little") == 1 << cpu
    assert result.done(too_high).error == result.done(none_such).error == "EINVAL"


def test_descriptors_of_the_agent_are_out_of_reach(run: Run) -> None:
    b = BatchBuilder()
    note = b.alloc(b"torn")
    wrote = [b.syscall(NR["write"], fd, note, 4) for fd in (0, 1, 2)]
    strangers = [b.syscall(NR["write"], fd, note, 4) for fd in (*range(3, 32), *range(490, 520))]
    first = b.syscall(NR["dup"], 0)
    result = run(b.build())
    assert [result.done(step).value for step in wrote] == [4, 4, 4]
    assert {result.done(step).error for step in strangers} == {"EBADF"}
    assert result.done(first).value == 3


def test_an_empty_batch(run: Run) -> None:
    result = run(BatchBuilder().build())
    assert result.end.how is How.COMPLETED
    assert result.steps == ()
