# SPDX-License-Identifier: MIT
"""Attaching programs to a kprobe, on every lane of a matrix. An example to start from:

pytest --hil-lanes 'debian-12,debian-13/arm64/jit' test_attach.py
"""

from __future__ import annotations

import pytest

from harness.testing import (
    LaneGuest,
    Machine,
    ModelExecutor,
    Outcome,
    Script,
    array,
    count_hits,
    expect,
    kprobe_program,
    on_our_prctl,
    op,
    prctl,
    probed,
    read_u64,
    u64,
)

EVENT, PROGRAM = op.Ref("event"), op.Ref("program")


def counting(guest: LaneGuest) -> tuple[op.Operation, ...]:
    """A program that counts our own prctl(2) calls, attached to a probe on the function behind them."""
    return array("hits"), *probed(on_our_prctl(guest.registers, count_hits()))


@pytest.mark.needs("kprobes")
def test_every_hit_is_counted(guest: LaneGuest) -> None:
    """`check` carries the operations out in the guest and in the model, and compares them one by one."""
    *_, hits = guest.check(*counting(guest), prctl(times=3), read_u64("hits"))
    assert hits.data == u64(3)


@pytest.mark.needs("kprobes")
def test_an_event_takes_one_program(guest: LaneGuest) -> None:
    """`expect` is a third word beside kernel and model: when they differ, the message says whose stands alone."""
    guest.check(*counting(guest), expect(op.Attach(EVENT, PROGRAM), "EEXIST"))


@pytest.mark.needs("kprobes")
@pytest.mark.kernel_from("5.10")
def test_a_second_event_on_the_probe_takes_a_program_of_its_own(guest: LaneGuest) -> None:
    guest.check(
        *counting(guest),
        kprobe_program("other", on_our_prctl(guest.registers, count_hits())),
        op.OpenEvent("second", op.Ref("probe")),
        expect(op.Attach(op.Ref("second"), op.Ref("other")), 0),
        prctl(),
        expect(read_u64("hits"), u64(2)),
    )


@pytest.mark.needs("jit")
def test_programs_are_translated_on_this_lane(machine: Machine) -> None:
    """The machine is there, too: any command in the guest, and its console."""
    assert machine.run(["cat", "/proc/sys/net/core/bpf_jit_enable"]).stdout == b"1\n"


def test_the_model_can_be_asked_alone(model: ModelExecutor) -> None:
    """A prediction for every operation of a script, before any kernel has seen it."""
    (closed,) = model.run(Script("close", "closes what nobody opened", (op.Close(-1),)))
    assert isinstance(closed, Outcome)
    assert closed.errno == "EBADF"
