# SPDX-License-Identifier: MIT
"""Functions and tracepoints that a test names and the kernel does not have, with the model in the place of the
kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core_scripts.parts import probed
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.pytest_plugin.failures import LoadFailed, ProbeFailed
from harness.pytest_plugin.guest import LaneGuest
from harness.pytest_plugin.objects import Loaded
from harness.script.clause import expect
from harness.script.operations import CreateKprobe, FindTracepoint, Operation
from harness.script.outcome import Outcome
from hil.errors import MachineLost
from hil.target import Completed
from tests.fakes import FakeTarget, fake_executor
from tests.harness.check.test_symbols import KALLSYMS
from tests.harness.pytest_plugin.test_checking import guest

CODE = program(mov64_imm(R0, 0), exit_())


class Kernel(FakeTarget):
    """A target with a kallsyms and an available_events of its own, which real commands read; or one that is gone."""

    def __init__(self, folder: Path, *, gone: bool = False) -> None:
        super().__init__(console_log=folder / "console.log")
        self._folder, self._gone = folder, gone
        self.tracing = str(folder)
        (folder / "kallsyms").write_text(KALLSYMS)
        (folder / "available_events").write_text("sched:sched_switch\nsched:sched_waking\n")

    def run(self, argv: Sequence[str], **_: Any) -> Completed:
        if self._gone:
            raise MachineLost("gone")
        words = [word.replace("/proc/kallsyms", str(self._folder / "kallsyms")) for word in argv]
        done = subprocess.run(words, capture_output=True, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)


def on(folder: Path, errno: str = "ENOENT", *, gone: bool = False) -> LaneGuest:
    """A guest whose kernel gets no probe and finds no tracepoint."""

    def says(operation: Operation) -> Outcome:
        return Outcome(errno=errno) if isinstance(operation, CreateKprobe | FindTracepoint) else Outcome(value=0)

    ours = guest(folder, fake_executor(says))
    ours.session = replace(ours.session, target=Kernel(folder, gone=gone))  # type: ignore[arg-type]
    return ours


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("tcp_close", "the kernel has no function tcp_close, but tcp_close.isra.0; where the test"),
        ("twcie", "the kernel has no function twcie, but twice; where the test"),
        ("twise", "the kernel has no function twise, but twice; where the test"),
        ("nothing_like_it", "the kernel has no function nothing_like_it; where the test"),
        ("twice", "the kernel has the function, and takes no such probe on it; where the test"),
    ],
)
def test_a_function_that_there_is_not_fails_the_test(symbol: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ProbeFailed) as caught:
        on(tmp_path).check(*probed(CODE, symbol=symbol)[1:2])
    assert said in str(caught.value) and '`expect(op.CreateKprobe(...), "ENOENT")`' in str(caught.value)


def test_a_tracepoint_that_there_is_not_fails_the_test(tmp_path: Path) -> None:
    said = "no tracepoint sched/sched_swich; did you mean 'sched/sched_switch'?; where"
    with pytest.raises(ProbeFailed, match="operation 0, FindTracepoint") as caught:
        on(tmp_path).check(FindTracepoint("t", "sched/sched_swich"))
    assert said in str(caught.value)
    with pytest.raises(ProbeFailed, match="no tracepoint a/b; where"):
        on(tmp_path).check(FindTracepoint("t", "a/b"))


def test_one_that_a_test_says_is_not_there_is_none(tmp_path: Path) -> None:
    made = expect(CreateKprobe("probe", "nothing_like_it"), "ENOENT")
    assert on(tmp_path).check(made) == (Outcome(errno="ENOENT"),)


def test_of_a_machine_that_is_gone_no_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProbeFailed, match="ENOENT, so that nothing is attached there; where"):
        on(tmp_path, gone=True).check(CreateKprobe("probe", "twcie"))


def test_of_an_object_it_is_the_object_that_is_not_loaded(tmp_path: Path) -> None:
    bad = Loaded(on(tmp_path), "bad.o", None, (), (CreateKprobe("probe", "twcie"),))  # type: ignore[arg-type]
    with pytest.raises(LoadFailed):
        bad.check()


def test_a_tracepoint_of_an_object_that_there_is_not_fails_the_test_with_the_nearest(tmp_path: Path) -> None:
    bad = Loaded(on(tmp_path), "bad.o", None, (), (FindTracepoint("t", "sched/sched_swich"),))  # type: ignore[arg-type]
    with pytest.raises(ProbeFailed, match="did you mean 'sched/sched_switch'") as caught:
        bad.check()
    assert "expect_load" not in str(caught.value)
