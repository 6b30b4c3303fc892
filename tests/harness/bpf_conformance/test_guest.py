# SPDX-License-Identifier: MIT
"""Programs of the suite's kind on real kernels, by way of the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.isa.instruction import encode
from harness.isa.text import assemble
from tests.harness.bpf_conformance.processes import gone

pytestmark = pytest.mark.guest

COMMAND = [sys.executable, "-c", "from harness.bpf_conformance.commands import main; main()"]


def plugin(*arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
    content = encode(assemble(program).instructions).hex(" ") if program else ""
    return subprocess.run([*COMMAND, *arguments], input=content, capture_output=True, text=True)


@pytest.fixture(params=["debian-12/x86_64/jit", "debian-12/arm64/interp"])
def lane(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A lane whose machine is nobody else's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield request.param
    plugin("--stop")


def test_a_lane_serves_the_suite_and_stops(lane: str, tmp_path: Path) -> None:
    memory = "10 ff 00 00 00 00 00 80"
    for program, r0 in (
        ("r0 = *(u64 *)(r1 +0)\nr0 += r2\nexit", "800000000000ff18"),
        ("*(u8 *)(r1 +1) = 1\nr0 = *(u16 *)(r1 +0)\nexit", "110"),
        ("r1 = 4\ncall pc+1\nexit\nr0 = r1\nr0 *= -1\nexit", "fffffffffffffffc"),
    ):
        done = plugin(memory, "--lane", lane, program=program)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{r0}\n", "")
    refused = plugin(memory, "--lane", lane, program="r0 = *(u8 *)(r1 +8)\nexit")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "refuses the program with EACCES" in refused.stderr and "invalid access to map value" in refused.stderr
    process = int((tmp_path / "hil/plugin" / lane / "pid").read_text())
    stopped = plugin("--stop")
    assert (stopped.returncode, stopped.stderr) == (0, f"stopped {lane}\n")
    assert gone(process)
