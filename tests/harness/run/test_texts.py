# SPDX-License-Identifier: MIT
"""Scripts in words: what a reader needs who has no sources."""

from __future__ import annotations

from harness.compare import Verdict
from harness.core_scripts import core_scripts
from harness.isa.assemble import R0, Function, call_local, exit_, mov64_imm, program
from harness.isa.instruction import Instruction, decode, encode
from harness.isa.text import assemble
from harness.lane import Engine
from harness.programs.hexadecimal import parse
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.texts import needs_whole, text, texts
from harness.script.expectation import SUCCESS, Expectation
from harness.script.operations import (
    Buffer,
    Close,
    LoadProgram,
    Part,
    Program,
    ProgramType,
    RawBpf,
    Ref,
    RunThreads,
    Script,
    Thread,
)
from harness.script.text import describe

RETURN = program(mov64_imm(R0, 1), exit_())
MEANINGLESS = Program((Instruction(0xE4, 1, 2, 3, 4), *RETURN.instructions))


def load(name: str, code: Program) -> LoadProgram:
    return LoadProgram(name, ProgramType.KPROBE, code)


def test_a_listing_can_be_assembled_and_the_code_is_the_program_as_hil_model_reads_it() -> None:
    for script in core_scripts("arm64", "6.1"):
        loads = [one for one in script.operations if isinstance(one, LoadProgram)]
        told = text(script).programs
        assert [one.name for one in told] == [one.name for one in loads]
        for one, loaded in zip(told, loads, strict=True):
            assert decode(parse(one.code, "the code")) == loaded.program.instructions
            if not any(" to " in line.partition(":")[0] for line in one.listing):
                assert assemble("\n".join(one.listing)) == loaded.program


def test_maps_are_told_by_the_instructions_that_refer_to_them() -> None:
    (counting,) = (script for script in core_scripts("arm64", "6.1") if script.name == "counting")
    (told,) = text(counting).programs
    assert told.maps == (
        "hits, in instruction 9: CreateMap(name='hits', type=ARRAY, key_size=4, value_size=8, max_entries=1)",
    )
    assert "9: (18) r1 = map hits" in told.listing
    by_hand = RawBpf(0, (Part(0, 4, 2), Part(4, 4, 4), Part(8, 4, 8), Part(12, 4, 1)), name="by hand")
    program = Program(RETURN.instructions, ((0, Ref("by hand")),))
    assert text(Script("s", "", (by_hand, load("p", program)))).programs[0].maps == (
        f"by hand, in instruction 0: {describe(by_hand)}",
    )


def test_an_instruction_without_meaning_does_not_cost_the_listing() -> None:
    (told,) = text(Script("s", "", (load("p", MEANINGLESS),))).programs
    assert told.listing == ("0: (e4) {dst=1, src=2, off=3, imm=4}", "1: (b7) r0 = 1", "2: (95) exit")


def test_functions_of_which_the_kernel_is_told_are_named() -> None:
    code = program(Function("main"), call_local("one"), exit_(), Function("one"), RETURN.instructions)
    (told,) = text(Script("s", "", (load("typed", code),))).programs
    assert told.listing == ("main():", "0: (85) call pc+1", "1: (95) exit", "one():", "2: (b7) r0 = 1", "3: (95) exit")
    assert assemble("\n".join(told.listing)) == code


def test_many_instructions_that_are_alike_are_a_line() -> None:
    long = program([mov64_imm(R0, 0)] * 4095, exit_())
    (told,) = text(Script("s", "", (load("p", long),))).programs
    assert told.listing == ("0 to 4094: (b7) r0 = 0", "4095: (95) exit")
    assert len(decode(bytes.fromhex(told.code))) == 4096


def test_programs_of_threads_and_of_calls_made_by_hand_are_told() -> None:
    raw = RawBpf(5, (Part(4, 4, 2), Part(8, 8, Buffer(encode(RETURN.instructions)))))
    script = Script("s", "", (raw, RunThreads((Thread(1, (load("inner", RETURN),)),))))
    told = text(script).programs
    assert [(one.operation, one.name, len(one.listing)) for one in told] == [(0, "program", 2), (1, "inner", 2)]


def test_what_is_expected_runs_parallel() -> None:
    script = Script("s", "", (Close(1), Close(2), Close(3)), (SUCCESS, None, Expectation("EBADF")))
    assert text(script).expected == ("success", "", "EBADF")


def test_only_scripts_with_news_bring_their_programs_along_and_forms_are_told_apart() -> None:
    script = Script("s", "", (load("p", RETURN),))
    other = Script("s", "", (load("p", program(mov64_imm(R0, 2), exit_())),))
    plan = [Share("k", arch, (Engine.JIT,), (one,)) for arch, one in (("x86_64", script), ("arm64", other))]
    assert [one.machines for one in texts(plan, ())] == [("k/x86_64", "k/arm64")]
    whole = texts(plan, {"s"})
    assert [(one.machines, one.programs[0].listing[0]) for one in whole] == [
        (("k/x86_64",), "0: (b7) r0 = 1"),
        (("k/arm64",), "0: (b7) r0 = 2"),
    ]
    verdicts = {verdict for verdict in Verdict if needs_whole(ScriptResult("k/arm64/jit", "s", verdict))}
    assert verdicts == {Verdict.DIVERGE, Verdict.DISAGREE, Verdict.FLAKY, Verdict.KNOWN}
