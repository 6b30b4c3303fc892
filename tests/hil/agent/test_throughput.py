# SPDX-License-Identifier: MIT
"""Large batches and many batches. The figures are printed (pytest -s), not judged, because they depend on the host."""

from __future__ import annotations

import time

from hil.agent.builder import BatchBuilder
from hil.agent.client import Agent
from tests.hil.agent.calls import NR

MIB = 1 << 20


def test_a_thousand_batches_in_one_exchange(agent: Agent) -> None:
    b = BatchBuilder()
    pids = [b.syscall(NR["getpid"]) for _ in range(10)]
    batch = b.build(60)
    start = time.monotonic()
    results = list(agent.exchange(batch for _ in range(1000)))
    print(f"\n1000 batches of 10 steps: {1000 / (time.monotonic() - start):.0f} batches/s")
    assert len({result.done(pids[0]).value for result in results}) == 1000
    assert all(result.completed for result in results)


def test_large_answers(agent: Agent) -> None:
    b = BatchBuilder()
    block = b.alloc(b"\xa5" * MIB)
    reads = [b.read(block, MIB) for _ in range(50)]
    start = time.monotonic()
    (result,) = agent.exchange([b.build(60)])
    print(f"\n50 MiB sent back: {50 / (time.monotonic() - start):.0f} MiB/s")
    assert all(result.done(read).data == b"\xa5" * MIB for read in reads)


def test_large_batches_and_large_answers_at_once_do_not_block(agent: Agent) -> None:
    """Each side sends far more than a pipe holds, and neither waits for the other to read first."""
    content = bytes(range(256)) * (4 * MIB // 256)
    b = BatchBuilder()
    echo = b.read(b.alloc(content), len(content))
    batch = b.build(60)
    results = list(agent.exchange(batch for _ in range(12)))
    assert [result.done(echo).data == content for result in results] == [True] * 12


def test_as_many_steps_as_fit(agent: Agent) -> None:
    b = BatchBuilder()
    for _ in range(65535):
        last = b.syscall(NR["getpid"])
    (result,) = agent.exchange([b.build(60)])
    assert result.completed
    assert result.done(last).value == result.done(0).value
