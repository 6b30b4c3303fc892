# SPDX-License-Identifier: MIT
"""What programs do is predicted under the kernel's verdict where the model has none of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    ld_imm64,
    ldx,
    lsh64_imm,
    mov64_imm,
    mov64_reg,
    program,
    rsh64_imm,
    stx,
    sub64_reg,
)
from harness.isa.opcodes import Pseudo
from harness.script.matching import admits
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    FindTracepoint,
    LoadProgram,
    LookupElement,
    MapType,
    Operation,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
)
from harness.script.outcome import ANY, Either, Outcome, Prediction, Unpredicted
from tests.harness.model.running import environment
from tests.harness.model.scripts import ATTACH, EVENT, FIRE, PROBE, ModelExecutor, counting, element, load

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
    jgt_imm(R1, 0x20000000, "out"),  # one more than is known to be allowed
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


def test_a_program_that_has_the_address_of_a_value_may_change_it() -> None:
    """Global data (.bss) is a map of which a program has the address of the value, not of the map."""
    first, second = ld_imm64(R1, 0)
    code = program(replace(first, src=Pseudo.MAP_VALUE), second, mov64_imm(R2, 1), stx(DW, R1, 0, R2), exit_())
    loaded = LoadProgram("program", ProgramType.KPROBE, replace(code, maps=((0, Ref("map")),)))
    operations = (WIDE, loaded, CreateKprobe("probe", "vfs_open"), EVENT, ATTACH, WIDE_READ)
    seen = [Outcome(value=3 + at) for at in range(len(operations) - 1)]
    said = ModelExecutor(environment("6.12")).run(Script("s", "", operations), None, seen)
    assert said[-1] == Outcome(value=0, data=ANY)


def test_a_program_that_a_lost_machine_may_have_died_of_is_told_as_that() -> None:
    """Of a script whose guest was lost, nobody knows whether a program was taken; if it was, it may be the reason."""
    task = call(Helper.GET_CURRENT_TASK)
    maps = tuple((index + 1, map) for index, map in LOW_HALF.program.maps)
    unsure = replace(LOW_HALF, program=Program((task, *LOW_HALF.program.instructions), maps))
    where = environment("6.12", "arm64")
    assert Helper.GET_CURRENT_TASK in where.deadly_helpers
    said = ModelExecutor(where).run(Script("s", "", (WIDE, unsure)))
    assert isinstance(said[-1], Unpredicted) and said[-1].deadly


def test_a_probe_that_a_kernel_made_is_there() -> None:
    """Whether it has the function stays open, not what comes behind: the probe may be reached at any time."""
    script = (WIDE, counting("program"), CreateKprobe("probe", "vfs_open"), EVENT, ATTACH, WIDE_READ)
    seen = [Outcome(value=3 + at) for at in range(len(script) - 1)]
    *_, probe, event, attached, stored = under(seen, *script)
    assert isinstance(probe, Unpredicted) and stored == Outcome(value=0, data=ANY)
    assert isinstance(event, Outcome) and attached == Outcome(value=0)
    refused = [*seen[:2], *(Outcome(errno=name) for name in ("ENOENT", "EINVAL", "EBADF"))]
    *_, probe, event, attached, stored = under(refused, *script)
    assert isinstance(probe, Unpredicted)
    assert (event, attached) == (Outcome(errno="EINVAL"), Outcome(errno="EBADF"))
    assert isinstance(stored, Outcome) and stored.data == bytes(16)


def test_a_tracepoint_that_a_kernel_has_is_there() -> None:
    script = (FindTracepoint("probe", "syscalls/sys_enter_execve"), EVENT)
    assert isinstance(under([Outcome(value=300)], *script)[1], Outcome)
    assert under([Outcome(errno="ENOENT")], *script)[1] == Outcome(errno="EINVAL")
    assert isinstance(under([], *script)[1], Unpredicted)
