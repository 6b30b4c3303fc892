# SPDX-License-Identifier: MIT
"""What programs do is predicted under the kernel's verdict where the model has none of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R6,
    R7,
    R10,
    B,
    Helper,
    and64_imm,
    call,
    exit_,
    ja,
    jeq32_imm,
    jgt_imm,
    ldx,
    lsh64_imm,
    mov64_imm,
    mov64_reg,
    rsh64_imm,
    stx,
    sub64_reg,
)
from harness.script.matching import admits
from harness.script.operations import (
    Attach,
    CreateMap,
    LookupElement,
    MapType,
    Operation,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
)
from harness.script.outcome import Either, Outcome, Prediction, Unpredicted
from tests.harness.model.running import environment
from tests.harness.model.scripts import EVENT, FIRE, PROBE, ModelExecutor, element, load

TASK = load("program", call(Helper.GET_CURRENT_TASK), exit_())
WIDE = CreateMap("map", MapType.ARRAY, 4, 16, 1)
LOW_HALF = load(
    "program",
    *element(0),
    mov64_reg(R6, R0),
    stx(DW, R6, 8, R6),
    ldx(DW, R1, R6, 8),
    lsh64_imm(R1, 32),
    rsh64_imm(R1, 32),
    jgt_imm(R1, 0x1FFFFFFF, "out"),
    mov64_reg(R7, R6),
    sub64_reg(R7, R1),
    jeq32_imm(R7, 0, "taken"),
    mov64_imm(R2, 1),
    ja("store"),
    "taken",
    mov64_imm(R2, 2),
    "store",
    stx(DW, R6, 0, R2),
    "out",
    mov64_imm(R0, 0),
    exit_(),
)
"""The low half of an address minus itself is nothing, so the jump is taken; where the low half is small enough."""
WIDE_READ = LookupElement(Ref("map"), bytes(4), 16)
LEAKED_BYTE = load(
    "program",
    stx(B, R10, -1, R10),
    ldx(B, R0, R10, -1),
    and64_imm(R0, 7),
    exit_(),
    type=ProgramType.SOCKET_FILTER,
)


def under(seen: Sequence[Outcome], *operations: Operation, name: str = "6.1") -> list[Prediction]:
    return ModelExecutor(environment(name, "x86_64")).run(Script("s", "a test", operations), None, seen)


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12"])
def test_a_program_that_a_kernel_took_is_run(name: str) -> None:
    attached = Attach(Ref("event"), Ref("program"))
    script = (WIDE, LOW_HALF, PROBE, EVENT, attached, FIRE, WIDE_READ)
    _, verdict, *_, stored = said = under([Outcome(value=3), Outcome(value=4)], *script, name=name)
    assert isinstance(verdict, Unpredicted), "whether it is taken stays open"
    assert not any(isinstance(one, Unpredicted) for one in said[2:])
    assert isinstance(stored, Either), "the address may be too high"
    address = (0xFFFF_8880_0123_4560).to_bytes(8, "little")
    for number, right in ((0, True), (1, False), (2, True)):
        assert admits(stored, Outcome(value=0, data=number.to_bytes(8, "little") + address), {}) is right


def test_of_an_address_is_known_what_its_alignment_says() -> None:
    *_, filtered = under([], LEAKED_BYTE, RunSocketFilter(Ref("program"), bytes(8)), name="4.1")
    assert filtered == Outcome(value=0)


def test_a_program_that_a_kernel_refused_is_none() -> None:
    seen = [Outcome(value=3), Outcome(errno="EACCES"), Outcome(errno="EBADF")]
    said = under(seen, WIDE, LOW_HALF, RunSocketFilter(Ref("program"), b"x"), WIDE_READ)
    assert said[2] == Outcome(errno="EBADF")
    assert isinstance(said[3], Outcome)


def test_without_a_word_of_the_kernel_all_of_it_stays_open() -> None:
    said = under([], WIDE, LOW_HALF, RunSocketFilter(Ref("program"), b"x"), WIDE_READ)
    assert [isinstance(one, Unpredicted) for one in said] == [False, True, True, True]


def test_a_program_that_calls_what_only_a_jit_has_may_be_the_end_of_the_interpreter() -> None:
    """Also where the kernel said already that it takes it."""
    for seen in ((), (Outcome(value=3),)):
        model = ModelExecutor(environment("6.12", "arm64"))
        (prediction,) = model.run(Script("task", "", (TASK,)), None, seen)
        assert isinstance(prediction, Unpredicted) and prediction.deadly
        assert "helper 35" in prediction.reason
    for name, arch, engine in (("6.12", "arm64", "jit"), ("6.12", "x86_64", "interp"), ("6.1", "arm64", "interp")):
        (prediction,) = ModelExecutor(environment(name, arch, engine=engine)).run(Script("task", "", (TASK,)))
        assert isinstance(prediction, Outcome) and prediction.errno is None
