# SPDX-License-Identifier: MIT
"""Settings below /proc/sys: who may change them to what, and that they are put back."""

from __future__ import annotations

import pytest

from harness.script.processes import Exit, Fork, SetCredentials
from harness.script.surroundings import ReadSetting, SetSetting
from tests.harness.model.scripts import results

PARANOID, RESTRICT, LOCK = "kernel/perf_event_paranoid", "kernel/kptr_restrict", "kernel/unprivileged_bpf_disabled"


def test_what_a_process_changed_it_puts_back_when_it_ends() -> None:
    inner = (Fork(), SetSetting(PARANOID, 2), SetSetting(PARANOID, 0), ReadSetting(PARANOID), Exit())
    script = (SetSetting(PARANOID, -1), *inner, ReadSetting(PARANOID))
    assert results(*script) == [0, 0, 0, 0, 0, 0, -1]


@pytest.mark.parametrize(("path", "value"), [(RESTRICT, 3), (RESTRICT, -1), (PARANOID, 1 << 31), (LOCK, 3)])
def test_values_that_not_every_kernel_takes_are_not_predicted(path: str, value: int) -> None:
    assert results(SetSetting(path, value), name="6.1") == ["?"]


@pytest.mark.parametrize(("told", "said"), [(0, 0), (1, "?"), (2, 0)])
def test_what_is_locked_may_stay_so(told: int, said: object) -> None:
    """As of a kernel that was told so before any script: bpf_unpriv_handler(), kernel/bpf/syscall.c."""
    assert results(SetSetting(LOCK, 0), name="6.1", settings={LOCK: told}) == [said]


def test_some_take_more_than_being_root() -> None:
    weak = (SetCredentials(0), SetSetting(RESTRICT, 1), SetSetting(PARANOID, 1))
    assert results(Fork(), *weak, Exit())[2:4] == ["EPERM", 0]
    assert results(Fork(), SetCredentials(5), SetSetting(RESTRICT, 1), Exit())[2] == "EACCES"
