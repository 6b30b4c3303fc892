# SPDX-License-Identifier: MIT
"""The smallest programs, on kernels that are wrong and on kernels that are right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.core_scripts.parts import prctl, probed
from harness.isa.assemble import R0, Helper, call, exit_, mov64_imm, program
from harness.kernel_bugs.bugs import Bug, bugs
from harness.lane import Engine, Lane
from harness.lowering.executor import GuestExecutor, Missed
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import LaneGuest
from harness.run.judging import judge
from harness.script.operations import Script
from harness.session import lane_session, prepare
from hil.arch import architecture
from hil.kernels import store

pytestmark = pytest.mark.guest

ARCH = "x86_64"


def test_programs_give_what_the_entries_say(guest: LaneGuest) -> None:
    """On every lane of the run that some entry has a word for."""
    if not held(guest.lane, guest.executor):
        pytest.skip(f"{guest.lane}: no entry was looked at there")


def test_older_kernels_have_what_the_matrix_no_longer_has(tmp_path: Path) -> None:
    """Those at hand only, as few as it takes; fetch others with `hil kernels fetch debian-12@6.12.43`."""
    shown: set[str] = set()
    for kernel in older():
        with lane_session(prepare(kernel, ARCH), tmp_path / kernel) as session:
            for engine in Engine:
                session.executor.switch(engine)
                lane = Lane(kernel, ARCH, engine)
                shown |= {bug.id for bug in held(lane, session.executor) if bug.seen_on(lane)}
    if not shown:
        pytest.skip("no kernel of an older version with one of the errors is at hand")


def test_the_interpreter_dies_of_a_helper_that_only_the_jit_has(tmp_path: Path) -> None:
    """And the bench says that it is known to. The machine is one that no other test has."""
    lane = Lane("debian-13", "arm64", Engine.INTERP)
    if store.find(lane.kernel, architecture(lane.arch)) is None:
        pytest.skip(f"{lane.kernel}/{lane.arch} is not at hand")
    code = program(call(Helper.GET_CURRENT_TASK), mov64_imm(R0, 0), exit_())
    script = Script("task", "a probe that asks for the current task", (*probed(code), prctl()))
    with lane_session(prepare(lane.kernel, lane.arch), tmp_path, engine=lane.engine) as session:
        (seen,) = session.executor.run([script])
        result = judge(lane, seen, ModelExecutor(session.environment(lane.engine)))
    assert isinstance(seen, Missed) and "SP/PC alignment exception" in seen.reason
    assert result.verdict is Verdict.KNOWN and "helper 35" in result.reason


def older() -> Iterator[str]:
    """Kernels of one version that have an error which none of the others before them has."""
    met: set[str] = set()
    for kernel in sorted(name for name, arch in store.points() if arch.name == ARCH):
        has = {bug.id for bug in bugs() if any(bug.program and bug.seen_on(Lane(kernel, ARCH, one)) for one in Engine)}
        if has - met:
            met |= has
            yield kernel


def held(lane: Lane, executor: GuestExecutor) -> list[Bug]:
    """The entries with a word for the lane, each of which was run there and gave that."""
    expected = {bug: word for bug in bugs() if (word := bug.expected(lane)) is not None}
    for bug, seen in zip(expected, executor.run([bug.script() for bug in expected]), strict=True):
        assert bug.given(seen.outcomes) in (expected[bug], bug.other or expected[bug]), (bug.id, seen)
    return list(expected)
