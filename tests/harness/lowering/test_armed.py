# SPDX-License-Identifier: MIT
"""Probes that stay: they are there, change nothing of what scripts see, and leave nothing in the trace buffer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.core_scripts.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, read_u64
from harness.lowering.armed import GROUP, keep_armed, slots
from harness.pytest_plugin.guest import LaneGuest
from harness.script import operations as op
from hil.errors import BenchError


def let_go(guest: LaneGuest) -> None:
    """Removes what the executor keeps for as long as a machine runs; the machine of the tests has others to run."""
    guest.executor.kept = {}
    remove = f'for event in events/{GROUP}/*/; do echo 0 >"$event/enable"; echo "-:{GROUP}/$(basename $event)"; done'
    output(guest, f"[ ! -d events/{GROUP} ] || {remove} >>kprobe_events")


@pytest.fixture
def armed(guest: LaneGuest) -> Iterator[LaneGuest]:
    if not guest.model.environment.kprobes:
        pytest.skip(f"{guest.lane}: there are no kprobes")
    for _ in range(2):  # harmless when repeated
        keep_armed(guest.machine, guest.executor.guest.tracing, (PRCTL,))
    yield guest
    let_go(guest)


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


@pytest.mark.guest
def test_scripts_take_turns_on_events_that_stay(armed: LaneGuest) -> None:
    """Each has its own, twice over, and all of them behave as with events of their own."""
    count = 4
    executor = armed.executor
    executor.keep_probes((PRCTL,), count)
    try:
        assert len(set(executor.kept[PRCTL])) == count
        program = on_our_prctl(armed.registers, count_hits())
        operations = (array("hits"), *probed(program), prctl(), read_u64("hits"))
        scripts = [op.Script(f"turn-{number}", "", operations) for number in range(2 * count)]
        assert slots(scripts[0], 0, executor.kept) and not slots(scripts[0], count, executor.kept)
        results = armed.judge(scripts, together=count)
        assert [result.verdict for result in results[:count]] == ["agree"] * count
        assert all(result.verdict == "agree" or "EEXIST" in result.reason for result in results)
    finally:
        let_go(armed)
    assert "hil_armed" not in output(armed, "cat kprobe_events")


def test_only_plain_scripts_share_events() -> None:
    kept = {PRCTL: (7, 8)}
    plain = (op.CreateKprobe("probe", PRCTL), op.OpenEvent("event", op.Ref("probe")))
    assert slots(op.Script("s", "", plain), 1, kept) == {PRCTL: 8}
    for other in (
        (op.CreateKprobe("probe", PRCTL, offset=4),),
        (op.CreateKprobe("probe", PRCTL, returns=True),),
        (op.CreateKprobe("probe", "another"),),
        (*plain, op.CreateKprobe("second", PRCTL)),
        (*plain, op.RemoveKprobe(op.Ref("probe"))),
        (*plain, op.ReadCount(op.Ref("event"))),
    ):
        assert not slots(op.Script("s", "", other), 0, kept)
    assert not slots(op.Script("s", "", plain), 2, kept)
