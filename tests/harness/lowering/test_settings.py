# SPDX-License-Identifier: MIT
"""What a script sets, it puts back: the parent at its end, a child at its own."""

from dataclasses import replace

import pytest

from harness.lowering.context import Guest
from harness.lowering.lower import lower
from harness.pytest_plugin.guest import LaneGuest
from harness.script.operations import Operation, Script
from harness.script.processes import Exit, Fork
from harness.script.surroundings import ReadSetting, SetSetting
from harness.session import session_on
from hil.agent.steps import Process, Syscall
from hil.target import write_file

GUEST = Guest(arch="x86_64", version_code=0)
READ, WRITE = 0, 1


def transfers(*operations: Operation) -> list[tuple[int, object]]:
    """What is read to and written from, in order."""
    batch, _ = lower([Script("s", "", operations)], GUEST, ["t"])
    return [
        (step.number, step.arguments[1])
        for step in batch.steps
        if isinstance(step, Syscall) and step.number in (READ, WRITE)
    ]


def test_what_was_set_last_is_put_back_first() -> None:
    first, one, second, two, *back = transfers(SetSetting("kernel/a", 1), SetSetting("kernel/b", 2))
    assert [call for call, _ in (first, one, second, two)] == [READ, WRITE, READ, WRITE]
    assert back == [(WRITE, second[1]), (WRITE, first[1])]


def test_a_child_puts_back_before_it_exits() -> None:
    operations = (Fork(), SetSetting("kernel/a", 1), Exit())
    batch, _ = lower([Script("s", "", operations)], GUEST, ["t"])
    child = batch.steps[1]
    assert isinstance(child, Process)
    written = [i for i, step in enumerate(batch.steps) if isinstance(step, Syscall) and step.number == WRITE]
    assert len(written) == 2 and written[-1] <= 1 + child.count


@pytest.mark.guest
def test_a_setting_may_be_below_zero(guest: LaneGuest) -> None:
    path = "kernel/perf_event_paranoid"
    *_, seen = guest.check(SetSetting(path, -1), ReadSetting(path))
    assert seen.value == -1


@pytest.mark.guest
def test_the_model_believes_what_the_running_kernel_was_told(guest: LaneGuest) -> None:
    """As of a kernel that is configured otherwise than the records of its distribution say."""
    path = "kernel/perf_event_paranoid"
    usual = guest.model.environment.rules.settings[path]
    other = 0 if usual else 1
    try:
        write_file(guest.machine, f"/proc/sys/{path}", b"%d\n" % other)
        with session_on(guest.machine, guest.session.kernel) as session:
            found = replace(guest, session=session)
            assert found.model.environment.settings is not None
            assert found.model.environment.settings[path] == other
            assert [path in one for one in found.model.environment.surprises] == [True]
            found.check(ReadSetting(path))
    finally:
        write_file(guest.machine, f"/proc/sys/{path}", b"%d\n" % usual)
