# SPDX-License-Identifier: MIT
"""Agents that run on the host: one binary for a test session, one process for each test."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hil import resources
from hil.agent.build import LINK, compile_agent
from hil.agent.client import Agent
from hil.agent.local import ProcessStream, host_architecture
from hil.agent.results import BatchResult
from hil.agent.steps import Batch
from hil.errors import BenchError

CompileAgent = Callable[..., Path]
Run = Callable[[Batch], BatchResult]


@pytest.fixture(scope="session")
def compile_host_agent(tmp_path_factory: pytest.TempPathFactory) -> CompileAgent:
    """Compiles the agent for this host with further flags; skips when there is no compiler."""
    try:
        compiler = shutil.which(host_architecture().gcc)
    except BenchError:
        compiler = None
    if compiler is None:
        pytest.skip(f"no compiler for this host ({platform.machine()})")

    def build(*flags: str) -> Path:
        output = tmp_path_factory.mktemp("agent") / "hil-agent"
        compile_agent(compiler, output, resources.folder("guest"), *flags)
        output.parent.chmod(0o755)
        return output

    return build


@pytest.fixture(scope="session")
def binary(compile_host_agent: CompileAgent) -> Path:
    return compile_host_agent(*LINK, "-Werror")


@pytest.fixture
def stream(binary: Path) -> Iterator[ProcessStream]:
    stream = ProcessStream([str(binary)])
    yield stream
    stream.close()


@pytest.fixture
def agent(stream: ProcessStream) -> Iterator[Agent]:
    with Agent(stream) as agent:
        yield agent


@pytest.fixture
def run(agent: Agent) -> Run:
    """Runs one batch."""

    def run(batch: Batch) -> BatchResult:
        (result,) = agent.exchange([batch])
        return result

    return run
