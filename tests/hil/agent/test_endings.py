"""Every way a batch, or the agent, can end."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hil.agent import wire
from hil.agent.build import LINK
from hil.agent.builder import BatchBuilder
from hil.agent.client import Agent, AgentLost
from hil.agent.local import ProcessStream
from hil.agent.results import How, Status
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
from tests.hil.agent.calls import NR
from tests.hil.agent.conftest import CompileAgent, Run

GETPID = Batch((Syscall(NR["getpid"]),))


def sleeping(b: BatchBuilder, seconds: int = 1000) -> Result:
    return b.syscall(NR["nanosleep"], b.alloc(struct.pack("<QQ", seconds, 0)), 0)


def alive(pid: int) -> bool:
    """Whether there is such a process, zombies left out."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_crash_is_reported_with_what_came_before(agent: Agent) -> None:
    b = BatchBuilder()
    text = b.read(b.alloc(b"kept"), 4)
    crash = b.load(0, 4)
    never = b.syscall(NR["getpid"])
    first, second = agent.exchange([b.build(), GETPID])
    assert str(first.end) == "killed by SIGSEGV at step 1"
    assert first.done(text).data == b"kept"
    running = first[crash]
    assert running is not None and running.status is Status.RUNNING
    assert first[never] is None
    assert second.completed


def test_a_store_to_the_guard_page_crashes(run: Run) -> None:
    b = BatchBuilder()
    last = b.alloc_before_guard(4)
    b.store(last, 4, 1)
    b.store(last + 4, 4, 1)
    assert str(run(b.build()).end) == "killed by SIGSEGV at step 1"


def test_sigkill_in_mid_batch(agent: Agent) -> None:
    b = BatchBuilder()
    pid = b.syscall(NR["getpid"])
    b.syscall(NR["kill"], pid, signal.SIGKILL)
    b.syscall(NR["getpid"])
    first, second = agent.exchange([b.build(), GETPID])
    assert str(first.end) == "killed by SIGKILL at step 1"
    assert first.done(pid).value > 0
    assert first[2] is None
    assert second.completed


def test_deadline_names_the_system_call(agent: Agent) -> None:
    b = BatchBuilder()
    b.syscall(NR["getpid"])
    sleeping(b)
    first, second = agent.exchange([b.build(0.2), GETPID])
    assert first.end.how is How.DEADLINE
    assert str(first.end) == f"deadline passed at step 1 in system call {NR['nanosleep']}"
    assert first.end.elapsed >= 0.2
    assert first.done(0).value > 0
    assert second.completed


def test_deadline_in_a_repeat_tells_the_rounds(run: Run) -> None:
    b = BatchBuilder()
    with b.repeat(0xFFFF_FFFF) as rounds:
        b.syscall(NR["getpid"])
    result = run(b.build(0.3))
    assert result.end.how is How.DEADLINE
    step = result[rounds]
    assert step is not None and step.status is Status.RUNNING
    assert step.value > 0


def test_deadline_in_a_thread_is_seen_in_its_steps(run: Run) -> None:
    b = BatchBuilder()
    with b.thread() as thread:
        asleep = sleeping(b)
    join = b.join(thread)
    result = run(b.build(0.3))
    assert str(result.end) == f"deadline passed at step {join.step}"
    step = result[asleep]
    assert step is not None and step.status is Status.RUNNING


def test_a_crash_in_a_thread_ends_the_batch_where_its_main_line_was(agent: Agent) -> None:
    b = BatchBuilder()
    with b.thread() as thread:
        told = b.read(b.alloc(b"kept"), 4)
        crash = b.load(0, 4)
        never = b.syscall(NR["getpid"])
    join = b.join(thread)
    first, second = agent.exchange([b.build(), GETPID])
    assert (first.end.how, first.end.detail) == (How.SIGNALLED, signal.SIGSEGV)
    assert first.end.step in (thread.step, join.step)
    assert first.done(told).data == b"kept"
    running = first[crash]
    assert running is not None and running.status is Status.RUNNING, "which of its steps it was"
    assert first[never] is None
    assert second.completed


def test_a_thread_that_is_stuck_does_not_hide_what_the_others_did(run: Run) -> None:
    b = BatchBuilder()
    with b.thread() as stuck:
        asleep = sleeping(b)
    with b.thread() as busy, b.repeat(1000):
        counted = b.syscall(NR["getpid"])
    joined, waits = b.join(busy), b.join(stuck)
    result = run(b.build(0.5))
    assert str(result.end) == f"deadline passed at step {waits.step}"
    assert result.done(counted).value > 0 and result.done(joined).value == 0
    under_way = result[asleep]
    assert under_way is not None and under_way.status is Status.RUNNING


def test_exit_by_a_thread_is_told_as_an_exit(run: Run) -> None:
    b = BatchBuilder()
    with b.thread() as thread:
        b.syscall(NR["exit_group"], 7)
    join = b.join(thread)
    end = run(b.build()).end
    assert (end.how, end.detail) == (How.EXITED, 7)
    assert end.step in (thread.step, join.step)


def test_a_stopped_batch_meets_its_deadline(run: Run) -> None:
    b = BatchBuilder()
    b.syscall(NR["kill"], b.syscall(NR["getpid"]), signal.SIGSTOP)
    assert run(b.build(0.3)).end.how is How.DEADLINE


def test_exit_by_a_step(run: Run) -> None:
    b = BatchBuilder()
    b.syscall(NR["exit_group"], 0)
    result = run(b.build())
    assert (result.end.how, str(result.end)) == (How.EXITED, "exited with status 0 at step 0")


def test_processes_end_with_their_batch(agent: Agent) -> None:
    b = BatchBuilder()
    with b.process() as child:
        with b.process():
            grandchild = b.syscall(NR["getpid"])
            sleeping(b)
        sleeping(b)
    sleeping(b)
    (result,) = agent.exchange([b.build(0.5)])
    assert result.end.how is How.DEADLINE
    for step in (child, grandchild):
        assert not alive(result.done(step).value)


def test_orphans_of_a_completed_batch_end_with_it(run: Run) -> None:
    b = BatchBuilder()
    with b.process() as child:
        sleeping(b)
    result = run(b.build())
    assert result.completed
    assert not alive(result.done(child).value)


def test_a_process_that_left_the_group_of_its_batch_is_still_killed(run: Run) -> None:
    b = BatchBuilder()
    pid = b.syscall(NR["getpid"])
    b.syscall(NR["setpgid"], 0, os.getpgid(0))
    sleeping(b)
    result = run(b.build(0.3))
    assert result.end.how is How.DEADLINE
    assert not alive(result.done(pid).value)


PINNED = r"""
#define _GNU_SOURCE
#include <unistd.h>
int main(void) { return setresuid(0, 0, 0) ? 1 : (alarm(120), pause()); }
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a setuid program, which takes root")
def test_a_process_that_cannot_be_killed_is_left_behind(compile_host_agent: CompileAgent, tmp_path: Path) -> None:
    """An agent without privileges stands before a process of root's, as one with them stands before a stuck one."""
    folder = compile_host_agent(*LINK, "-DGRACE_MS=300")
    if os.statvfs(folder.parent).f_flag & os.ST_NOSUID:
        pytest.skip("the folder for temporary files does not honour setuid")
    program = folder.parent / "pinned"
    compiler = shutil.which("gcc") or pytest.skip("no compiler")
    subprocess.run([compiler, "-x", "c", "-static", "-o", program, "-"], input=PINNED, text=True, check=True)
    program.chmod(0o4755)
    for parent in (folder.parent, *folder.parent.parents):
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o711)

    b = BatchBuilder()
    pid = b.syscall(NR["getpid"])
    path = b.alloc(os.fsencode(program) + b"\0")
    arguments = b.alloc(16)
    b.store(arguments, 8, path)
    b.syscall(NR["execve"], path, arguments, 0)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(folder)]
    with Agent(ProcessStream(command)) as agent:
        stuck, following = agent.exchange([b.build(1.0), GETPID])
        stranger = stuck.done(pid).value
        try:
            assert str(stuck.end) == f"stuck at step 2 in system call {NR['execve']}, not even SIGKILL ended it"
            assert following.completed
            assert alive(stranger)
        finally:
            os.kill(stranger, signal.SIGKILL)


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
    "no earlier thread": Batch((Process(0), Join(0))),
    "step 0 joins step 1": Batch((Join(1), Thread(0))),
    "joined already": Batch((Thread(0), Join(0), Join(0))),
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
    """Give the agent `data` and the end of its input; its exit status and the frames after its greeting."""
    done = subprocess.run([binary], input=data, capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    reader = wire.FrameReader()
    frames = list(reader.feed(done.stdout))
    assert reader.partial == 0
    assert frames[0].type == wire.HELLO
    return done.returncode, frames[1:]


BATCH_FRAME = wire.encode_batch(GETPID, 7)


def test_truncated_payloads_say_where(binary: Path) -> None:
    payload = BATCH_FRAME[12:]
    cut = b"".join(wire.encode_frame(wire.BATCH, size, payload[:size]) for size in range(len(payload)))
    status, frames = talk(binary, cut + BATCH_FRAME)
    assert status == 0
    assert [frame.tag for frame in frames] == [*range(len(payload)), 7]
    assert {frame.type for frame in frames[:-1]} == {wire.ERROR}
    assert all(frame.payload.startswith(b"at offset ") for frame in frames[:-1])
    assert frames[-1].type == wire.RESULT


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"wrong magic"),
        (wire.encode_frame(wire.RESULT, 0, b""), b"not of type BATCH"),
        (BATCH_FRAME[:8] + struct.pack("<I", (64 << 20) + 1), b"longer than 64 MiB"),
        (BATCH_FRAME[:5], b"ends inside a frame's header"),
        (BATCH_FRAME[:-1], b"ends inside a frame"),
    ],
)
def test_input_that_cannot_be_framed_ends_the_agent(binary: Path, data: bytes, complaint: bytes) -> None:
    status, frames = talk(binary, BATCH_FRAME + data)
    assert status == 2
    assert [frame.type for frame in frames] == [wire.RESULT, wire.ERROR]
    assert frames[1].tag == wire.NO_TAG
    assert complaint in frames[1].payload


def test_end_of_input_finishes_what_was_sent(binary: Path) -> None:
    status, frames = talk(binary, BATCH_FRAME * 5)
    assert (status, len(frames)) == (0, 5)


def test_unknown_arguments_are_refused(binary: Path) -> None:
    done = subprocess.run([binary, "--help"], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"usage: hil-agent")


def descendants(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def sleeping_batch() -> bytes:
    """The frame of a batch that sleeps in two processes."""
    b = BatchBuilder()
    with b.process():
        sleeping(b)
    sleeping(b)
    return wire.encode_batch(b.build(300), 0)


def start_sleeping(stream: ProcessStream) -> Agent:
    agent = Agent(stream)
    stream.write(sleeping_batch())
    assert eventually(lambda: len(descendants(stream.pid)) == 2)
    return agent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_to_the_agent_end_its_batch(stream: ProcessStream, number: signal.Signals) -> None:
    agent = start_sleeping(stream)
    children = descendants(stream.pid)
    os.kill(stream.pid, number)
    assert stream.wait() == 128 + number
    assert eventually(lambda: not any(map(alive, children)))
    with pytest.raises(AgentLost):
        list(agent.exchange([GETPID]))


def test_the_batch_process_ends_when_the_agent_is_killed(stream: ProcessStream) -> None:
    start_sleeping(stream)
    child, grandchild = descendants(stream.pid)
    os.kill(stream.pid, signal.SIGKILL)
    assert eventually(lambda: not alive(child))
    os.kill(grandchild, signal.SIGKILL)


def test_a_batch_nobody_waits_for_is_killed(binary: Path) -> None:
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdin is not None and process.stdout is not None
    process.stdout.read(12)
    process.stdin.write(sleeping_batch())
    assert eventually(lambda: len(descendants(process.pid)) == 2)
    children = descendants(process.pid)
    process.stdout.close()
    assert process.wait(60) == 1
    assert not any(map(alive, children))
    process.stdin.close()


def test_exit_in_mid_exchange_loses_the_agent_but_not_the_results(agent: Agent, stream: ProcessStream) -> None:
    b = BatchBuilder()
    sleeping(b)
    results = agent.exchange([GETPID, b.build(300)])
    assert next(results).completed
    os.kill(stream.pid, signal.SIGKILL)
    with pytest.raises(AgentLost, match="stream ended") as caught:
        next(results)
    assert caught.value.answered == 1


def test_reads_past_the_limit_of_the_agent_are_rejected(binary: Path) -> None:
    read = wire.encode_batch(Batch((Read(Address(0), Immediate(1), 1 << 26),)), 0)
    payload = bytearray(read[12:])
    payload[-4:] = struct.pack("<I", (1 << 26) + 1)
    _, frames = talk(binary, wire.encode_frame(wire.BATCH, 0, bytes(payload)))
    assert b"may send back more than" in frames[0].payload


def test_an_agent_without_memory_says_so_and_blames_no_batch(binary: Path) -> None:
    """However little there is, a batch is carried out or rejected; a script that asks for a table of threads and gets
    none would otherwise die of SIGSEGV as if it had done something itself."""
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
