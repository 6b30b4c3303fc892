# SPDX-License-Identifier: MIT
"""The known errors of 4.1's JIT compilers are named at the instruction that is wrong. Where that kernel is at hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.core_scripts import core_scripts
from harness.kernel_bugs.bugs import bugs
from harness.lane import Engine
from harness.lockstep.checking import check
from harness.lockstep.recording import LockstepLane, lockstep_machine
from harness.lockstep.selftest import self_test
from harness.script.operations import Script
from harness.session import prepare
from hil.arch import architecture
from hil.kernels import store

pytestmark = pytest.mark.guest

KERNEL, ERA = "linux-4.1", "4.1"
FAULTS = {
    "x86_64": [("x86-store-r10-byte", "(73) *(u8 *)(r10 -1) = r10", "the stack at r10-1")],
    "arm64": [
        ("arm64-indirect-load-index", "(50) r0 = *(u8 *)skb[r2 + 3]", "R0"),
        ("arm64-jit-stack", "(85) call 1", "the stack at r10-4"),
    ],
}
"""By architecture: the error, the instruction that is wrong, and what differs behind it."""
SHOWN_BY = {"arm64-jit-stack": "socket-filter"}
"""The core script that shows an error without a program of its own."""


@pytest.fixture(scope="module", params=FAULTS)
def lane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockstepLane]:
    arch: str = request.param
    if store.find(KERNEL, architecture(arch)) is None:
        pytest.skip(f"{KERNEL}/{arch} is not at hand; hil kernels build {KERNEL} makes it")
    with lockstep_machine(KERNEL, prepare(KERNEL, arch), tmp_path_factory.mktemp("lockstep")) as machine:
        ready = machine.lane(Engine.JIT)
        self_test(ready)
        yield ready


def test_each_is_named_at_its_instruction(lane: LockstepLane) -> None:
    for bug, text, what in FAULTS[lane.lane.arch]:
        found = check(lane, script(bug, lane.lane.arch)).examined.difference
        assert found and (found.text, found.what) == (text, what), (bug, found)
        assert found.native, "the machine code shows it"


def script(bug: str, arch: str) -> Script:
    shown_by = SHOWN_BY.get(bug)
    if shown_by:
        return next(one for one in core_scripts(arch, ERA) if one.name == shown_by)
    return next(one for one in bugs() if one.id == bug).script()
