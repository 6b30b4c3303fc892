# SPDX-License-Identifier: MIT
"""The contract of every target, tested with the fake one and, in guest tests, with a machine."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest

from hil import guestroot
from hil.agent.client import Agent
from hil.arch import architecture
from hil.errors import BenchError, MachineLost
from hil.kernels import store
from hil.machine import Machine, MachineSpec
from hil.target import Target, read_file, write_file
from tests.fakes import FakeTarget


@pytest.fixture(scope="module", params=["host", pytest.param("machine", marks=pytest.mark.guest)])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A target that all tests of this file share, and that the last one ends."""
    folder = tmp_path_factory.mktemp("target")
    if request.param == "host":
        with FakeTarget() as fake:
            yield fake
    else:
        kernel = store.get("debian-12", architecture("x86_64"))
        with Machine(MachineSpec(kernel, guestroot.build(kernel), folder)) as machine:
            yield machine


def test_it_has_all_there_is_to_a_target(target: Target) -> None:
    assert not [name for name in vars(Target) if not name.startswith("_") and not hasattr(target, name)]


def test_it_has_its_properties(target: Target) -> None:
    assert target.agent.startswith("/") and target.tracing.startswith("/")
    assert isinstance(target.emulator, str) and all(isinstance(word, str) for word in target.command)
    assert (target.alive, target.lost_reason(), target.warnings) == (True, None, ())
    assert target.console_log is None or target.console_log.is_file()


def test_a_command_gives_status_and_output(target: Target) -> None:
    done = target.run(["sh", "-c", "cat; echo complaint >&2; exit 3"], stdin=b"\x00\xff")
    assert (done.status, done.stdout, done.stderr) == (3, b"\x00\xff", b"complaint\n")
    assert target.run(["sh", "-c", "kill -9 $$"]).status == 128 + 9
    assert target.run(["printf", "%s|", "a b", "$c", ""]).stdout == b"a b|$c||"


def test_a_command_that_takes_too_long_is_a_loss(target: Target) -> None:
    with pytest.raises(MachineLost):
        target.run(["sleep", "600"], timeout=0.5)


def test_files_go_in_and_out(target: Target) -> None:
    content, path = bytes(range(256)) * 300, f"/tmp/hil-test-{platform.node()}"
    write_file(target, path, content)
    assert read_file(target, path) == content
    assert target.run(["rm", path]).status == 0
    with pytest.raises(BenchError, match=f"cannot read {path} on the target: .*; look for it"):
        read_file(target, path, remedy="look for it")
    with pytest.raises(BenchError, match=r"cannot write /proc/version on the target: ."):
        write_file(target, "/proc/version", b"no")


def test_a_stream_goes_both_ways(target: Target) -> None:
    stream = target.open(["cat"])
    stream.write(b"there")
    assert stream.read(5) == b"there"
    stream.close()
    stream.close()


def test_its_agent_greets_with_the_kernel_that_runs(target: Target) -> None:
    with Agent(target.open([target.agent])) as agent:
        assert agent.hello.release.encode() == target.run(["uname", "-r"]).stdout.strip()
        assert agent.hello.machine in target.arch.host_machines


def test_its_end_is_noticed_and_reported(target: Target) -> None:
    calls: list[str] = []
    target.on_loss(lambda: calls.append("early"))
    stream = target.open(["cat"])
    target.stop()
    target.stop()
    target.on_loss(lambda: calls.append("late"))
    assert calls == ["early", "late"]
    assert not target.alive and target.lost_reason()
    assert target.log_lacks == 0
    with pytest.raises(MachineLost):
        target.run(["true"])
    with pytest.raises(MachineLost):
        target.open(["cat"])
    with pytest.raises(MachineLost):
        stream.write(b"anybody?")
