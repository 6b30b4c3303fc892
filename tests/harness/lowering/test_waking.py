# SPDX-License-Identifier: MIT
"""A restored machine is used only when its clock was set, its random pool fed, and its timer fired."""

from __future__ import annotations

import errno

import pytest

from harness.abi.system_calls import NUMBERS
from harness.lowering.context import Guest
from harness.lowering.waking import waking
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Syscall
from hil.errors import MachineLost


def answered(guest: Guest, failing: str = "") -> None:
    """Read what a machine answers in which the system call `failing`, if any is named, fails."""
    batch, read = waking(guest, 1.0)
    fails = NUMBERS[guest.arch].get(failing)
    calls = [step.number if isinstance(step, Syscall) else None for step in batch.steps]
    assert not failing or fails in calls, "the batch has the call"
    error, fine = StepResult(Status.DONE, -1, errno.EINVAL), StepResult(Status.DONE, 0)
    results = tuple(error if failing and call == fails else fine for call in calls)
    read(BatchResult(End(How.COMPLETED), results))


@pytest.mark.parametrize("arch", NUMBERS)
def test_a_machine_that_can_do_all_of_it_is_used(arch: str) -> None:
    answered(Guest(arch, 0x60100))


@pytest.mark.parametrize("arch", NUMBERS)
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("ioctl", "feed the random pool of"),
        ("clock_settime", "set the clock of"),
        ("nanosleep", "sleep in"),
    ],
)
def test_one_that_cannot_is_lost(arch: str, call: str, said: str) -> None:
    with pytest.raises(MachineLost, match=f"cannot {said} a restored machine: EINVAL"):
        answered(Guest(arch, 0x60100), call)
