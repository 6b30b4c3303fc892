# SPDX-License-Identifier: MIT
"""What is seen of a run while it works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.compare import Verdict
from harness.core_scripts import core_scripts
from harness.lane import Engine
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.watch import LiveTable

SHARES = tuple(
    Share(kernel, arch, tuple(Engine), core_scripts(arch, "6.1"))
    for kernel in ("debian-12", "a-kernel-of-mine")
    for arch in ("x86_64", "arm64")
)


@pytest.mark.parametrize("width", [80, 120])
def test_lanes_are_named_whole_on_a_narrow_screen_too(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    table = LiveTable(console, SHARES)
    for share in SHARES:
        table.state(share, "booted in 12.3 s: Linux hil 6.1.0-56-cloud-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2")
        for lane in share.lanes:
            for verdict in (Verdict.AGREE, Verdict.DIVERGE, Verdict.UNSUPPORTED, Verdict.KNOWN):
                table.done(lane, ScriptResult(str(lane), "counting", verdict))
    console.print(table._table())
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    lanes = [str(lane) for share in SHARES for lane in share.lanes]
    assert [lane for lane in lanes if not any(line.startswith(f"{lane} ") for line in lines)] == []
    assert stream.getvalue().count("known-divergence") == len(lanes)
    assert ("\u2501" in stream.getvalue()) is (width > 100)
