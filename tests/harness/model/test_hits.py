# SPDX-License-Identifier: MIT
"""What a program sees when it is hit: registers, arguments, results of triggers, packets."""

from __future__ import annotations

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    W,
    add64_imm,
    call,
    exit_,
    ldx,
    mov64_imm,
    mov64_reg,
    st,
    stx,
)
from harness.isa.opcodes import Helper
from harness.script.operations import (
    Buffer,
    CreateKprobe,
    ProgramType,
    ReadCount,
    Ref,
    RunSocketFilter,
    Trigger,
)
from harness.script.outcome import KERNEL_ADDRESS, Bytes
from harness.script.triggers import UNKNOWN_PRCTL
from tests.harness.model.running import environment
from tests.harness.model.scripts import (
    ALL,
    ATTACH,
    EVENT,
    FIRE,
    MAP,
    PRCTL,
    PROBE,
    data,
    element,
    last,
    load,
    predict,
    read,
    returning,
    storing,
    u64,
)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_reg_01_20_arguments_are_where_the_calling_convention_puts_them(name: str, arch: str) -> None:
    if (name, arch) == ("4.1", "arm64"):
        return
    layout = environment(name, arch).registers
    for index, value in enumerate((2, 3, 1 << 63, (1 << 64) - 1), start=1):
        script = (MAP, storing("program", offset=layout.argument(index)), PROBE, EVENT, ATTACH)
        fire = Trigger(PRCTL, (UNKNOWN_PRCTL, 2, 3, 1 << 63, -1))
        assert data(predict(*script, fire, read(), name=name, arch=arch)[-1]) == u64(value)


def test_reg_01_23_above_a_32_bit_argument_anything_may_be() -> None:
    script = (MAP, storing("program", offset=112), PROBE, EVENT, ATTACH, FIRE, read())
    seen = data(predict(*script)[-1])
    assert isinstance(seen, Bytes)
    assert seen.admits((UNKNOWN_PRCTL | 5 << 32).to_bytes(8, "little"), {})
    assert not seen.admits((UNKNOWN_PRCTL + 1).to_bytes(8, "little"), {})
    assert data(predict(MAP, storing("program", offset=112, size=W), *script[2:])[-1]) == u64(UNKNOWN_PRCTL)


def test_reg_02_the_instruction_pointer_is_a_kernel_address() -> None:
    seen = data(predict(MAP, storing("program", offset=128), PROBE, EVENT, ATTACH, FIRE, read())[-1])
    assert isinstance(seen, Bytes) and seen.unknown[0].value == KERNEL_ADDRESS


def test_run_55_return_values() -> None:
    returns = CreateKprobe("probe", PRCTL, returns=True)
    script = (MAP, storing("program", offset=80, size=W), returns, EVENT, ATTACH, FIRE, read())
    assert data(predict(*script)[-1]) == u64(0xFFFFFFDA)
    written = CreateKprobe("probe", "write_null", returns=True)
    script = (MAP, storing("program", offset=80), written, EVENT, ATTACH)
    assert data(predict(*script, Trigger("write_null", (Buffer(b"abc"), 3)), read())[-1]) == u64(3)


def test_pr_02_programs_read_the_callers_buffer() -> None:
    program = load(
        "program",
        *(ldx(DW, R3, R1, 104), st(DW, R10, -8, 0), mov64_reg(R1, R10), add64_imm(R1, -8), mov64_imm(R2, 4)),
        *(call(Helper.PROBE_READ), ldx(DW, R6, R10, -8), *element(0), stx(DW, R0, 0, R6), mov64_imm(R0, 0), exit_()),
    )
    script = (MAP, program, CreateKprobe("probe", "write_null"), EVENT, ATTACH)
    fire = Trigger("write_null", (Buffer(b"abcdefgh"), 8))
    assert data(predict(*script, fire, read())[-1]) == b"abcd\0\0\0\0"


def test_a_pointer_in_a_map_is_predicted_as_a_kernel_address() -> None:
    program = load("program", *element(0), stx(DW, R0, 0, R0), mov64_imm(R0, 0), exit_())
    seen = data(predict(MAP, program, PROBE, EVENT, ATTACH, FIRE, read())[-1])
    assert isinstance(seen, Bytes)
    assert seen.admits(u64(0xFFFF888000001000), {}) and not seen.admits(u64(0x1000), {})


def test_what_triggers_return() -> None:
    assert last(FIRE) == "EINVAL"
    assert last(Trigger("null_lseek", (-5, 4))) == 0
    assert last(Trigger("null_lseek", (-5, 5))) == "EINVAL"
    assert last(Trigger("write_null", (0x10000, 77))) == 77
    assert last(Trigger("write_null", (0x10000, 0x7FFFF001))) == 0x7FFFF000
    assert last(Trigger("write_null", (1 << 63, 1))) == "EFAULT"
    assert last(Trigger("read_null", (Buffer(b"x"), 1))) == 0
    assert last(Trigger("find_task_by_vpid", (0x3FFFFFFF,))) == "ESRCH"
    assert last(Trigger("find_task_by_vpid", (1,))) == "?"
    assert last(Trigger(PRCTL, (15,))) == "?"


def test_a_call_that_does_not_get_there_hits_nothing() -> None:
    script = (CreateKprobe("probe", "null_lseek"), EVENT, Trigger("null_lseek", (0, 5)), ReadCount(Ref("event")))
    assert last(*script) == 0


def filtered(verdict: int, packet: bytes, **facts: str) -> object:
    program = load("filter", mov64_imm(R0, verdict), exit_(), type=ProgramType.SOCKET_FILTER)
    return last(program, RunSocketFilter(Ref("filter"), packet), **facts)


def test_load_14_a_filter_cuts_the_packet() -> None:
    for name in ALL:
        for arch in ("x86_64", "arm64"):
            facts = {"name": name, "arch": arch}
            assert [filtered(cut, b"0123456789", **facts) for cut in (0, 3, 10, 99, -1)] == [0, 3, 10, 10, 10]


def test_what_is_no_filter() -> None:
    assert last(RunSocketFilter(-1, b"x")) == "EBADF"
    assert last(MAP, RunSocketFilter(Ref("map"), b"x")) == "EINVAL"
    assert last(returning("program", 1), RunSocketFilter(Ref("program"), b"x")) == "EINVAL"
