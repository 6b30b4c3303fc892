# SPDX-License-Identifier: MIT
"""Probes that stay: they are there, change nothing of what scripts see, and leave nothing in the trace buffer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.core_scripts.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, read_u64
from harness.lowering.armed import keep_armed
from harness.pytest_plugin.guest import LaneGuest
from hil.errors import BenchError


@pytest.fixture
def armed(guest: LaneGuest) -> Iterator[LaneGuest]:
    if not guest.model.environment.kprobes:
        pytest.skip(f"{guest.lane}: there are no kprobes")
    for _ in range(2):  # harmless when repeated
        keep_armed(guest.machine, guest.executor.guest.tracing, (PRCTL,))
    yield guest
    output(guest, f"echo 0 >events/hil_armed/{PRCTL}/enable; echo -:hil_armed/{PRCTL} >>kprobe_events")


def output(guest: LaneGuest, command: str) -> str:
    done = guest.machine.run(["sh", "-c", f"cd {guest.executor.guest.tracing}; {command}"])
    assert not done.status, done.stderr
    return done.stdout.decode()


@pytest.mark.guest
def test_a_script_sees_nothing_of_a_probe_that_stays(armed: LaneGuest) -> None:
    program = on_our_prctl(armed.registers, count_hits())
    armed.check(array("hits"), *probed(program), prctl(times=3), read_u64("hits"))
    assert output(armed, "cat kprobe_events").count("hil_armed") == 1
    assert output(armed, f"cat events/hil_armed/{PRCTL}/enable").strip() == "1"
    assert PRCTL not in output(armed, "grep -v '^#' trace || true")


@pytest.mark.guest
def test_a_function_there_is_not_is_told(armed: LaneGuest) -> None:
    with pytest.raises(BenchError, match=r"does not keep probes on no_such_function: .+"):
        keep_armed(armed.machine, armed.executor.guest.tracing, ("no_such_function",))


@pytest.mark.guest
def test_a_kernel_without_kprobes_is_left_as_it_is(guest: LaneGuest) -> None:
    keep_armed(guest.machine, "/tmp", (PRCTL,))
