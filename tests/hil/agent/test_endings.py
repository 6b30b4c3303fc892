# SPDX-License-Identifier: MIT
"""Every way in which a batch can end."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from hil.agent.build import LINK
from hil.agent.builder import BatchBuilder
from hil.agent.client import Agent
from hil.agent.local import ProcessStream
from hil.agent.results import How, Status
from hil.agent.steps import Address
from tests.hil.agent.batches import GETPID, alive, sleeping
from tests.hil.agent.calls import NR
from tests.hil.agent.conftest import CompileAgent, Run


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
    b.alloc(mmap.PAGESIZE)
    b.store(Address(mmap.PAGESIZE - 4), 4, 1)
    b.store(Address(mmap.PAGESIZE), 4, 1)
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


def test_deadline_in_a_repeat_gives_the_rounds(run: Run) -> None:
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
        read = b.read(b.alloc(b"kept"), 4)
        crash = b.load(0, 4)
        never = b.syscall(NR["getpid"])
    join = b.join(thread)
    first, second = agent.exchange([b.build(), GETPID])
    assert (first.end.how, first.end.detail) == (How.SIGNALLED, signal.SIGSEGV)
    assert first.end.step in (thread.step, join.step)
    assert first.done(read).data == b"kept"
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


def test_exit_by_a_thread_is_an_exit(run: Run) -> None:
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
    """An agent without privileges cannot kill a process of root's, as no agent can kill a stuck one."""
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
            assert str(stuck.end) == f"stuck at step 2 in system call {NR['execve']}, SIGKILL did not end it"
            assert following.completed
            assert alive(stranger)
        finally:
            os.kill(stranger, signal.SIGKILL)
