# SPDX-License-Identifier: MIT
"""An example of a test file: attaching programs to a kprobe, on every lane of a matrix.

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
    """The operations that attach a program to the function of prctl(2), where it counts our own calls."""
    return array("hits"), *probed(on_our_prctl(guest.registers, count_hits()))


@pytest.mark.needs("kprobes")
def test_every_hit_is_counted(guest: LaneGuest) -> None:
    """`check` runs the operations in the guest and in the model, and compares the results one by one."""
    *_, hits = guest.check(*counting(guest), prctl(times=3), read_u64("hits"))
    assert hits.data == u64(3)


@pytest.mark.needs("kprobes")
def test_an_event_takes_one_program(guest: LaneGuest) -> None:
    """`expect` states the result independently of the model; on a difference the message says which one is alone."""
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
    """The fixture `machine` runs any command in the guest, and has its console."""
    assert machine.run(["cat", "/proc/sys/net/core/bpf_jit_enable"]).stdout == b"1\n"


def test_the_model_predicts_without_a_kernel(model: ModelExecutor) -> None:
    """`model` predicts every operation of a script without a kernel."""
    (closed,) = model.run(Script("close", "closes a descriptor that is not open", (op.Close(-1),)))
    assert isinstance(closed, Outcome)
    assert closed.errno == "EBADF"
