# SPDX-License-Identifier: MIT
"""Every way in which the agent can end, and the effect on its batch."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hil.agent import wire
from hil.agent.builder import BatchBuilder
from hil.agent.client import Agent, AgentLost
from hil.agent.local import ProcessStream
from tests.hil.agent.batches import GETPID, alive, sleeping


def eventually(condition: Callable[[], bool]) -> bool:
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


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


def test_a_batch_whose_reader_is_gone_is_killed(binary: Path) -> None:
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
