# SPDX-License-Identifier: MIT
"""Whole verdicts: logs of accepted programs, the order of the passes, limits, what 4.1 lets pass by mistake."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R10,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    ja,
    jeq_imm,
    jgt_imm,
    jne_imm,
    ld_imm64,
    ld_map_fd,
    ldx,
    mov32_imm,
    mov64_imm,
    mov64_reg,
    program,
    stx,
)
from harness.isa.assemble import st as store
from harness.isa.instruction import Instruction
from harness.model.verifier import LogRequest, Verdict
from tests.harness.isa.strategies import any_instructions, encodings
from tests.harness.model.verifier.acceptances import ACCEPTANCES, Acceptance
from tests.harness.model.verifier.lanes import ARRAY, ARRAY_AGAIN, HASH, KINDS, LOOKUP, check

TAIL = (mov64_imm(R0, 0), exit_())


def _check(*pieces: Piece, kind: str = "kprobe", log: LogRequest | None = None) -> Verdict:
    instructions = program(*pieces).instructions
    return check(instructions, kind, log=log) if log else check(instructions, kind)


def _text(verdict: Verdict) -> str:
    assert verdict.log is not None
    return str(verdict.log)


def test_the_log_of_a_lookup() -> None:
    verdict = _check(LOOKUP, jeq_imm(R0, 0, "out"), store(DW, R0, 0, 1), "out", *TAIL)
    assert verdict.accepted
    assert _text(verdict) == (
        "0: (7a) *(u64 *)(r10 -8) = 0\n"
        "1: (bf) r2 = r10\n"
        "2: (07) r2 += -8\n"
        "3: (18) r1 = 0x<half of a map's address>\n"
        "5: (85) call 1\n"
        "6: (15) if r0 == 0x0 goto pc+1\n"
        " R0=map_value(ks=4,vs=8) R10=fp\n"
        "7: (7a) *(u64 *)(r0 +0) = 1\n"
        "8: (b7) r0 = 0\n"
        "9: (95) exit\n"
        "\n"
        "from 6 to 8: R0=imm0 R10=fp\n"
        "8: (b7) r0 = 0\n"
        "9: (95) exit\n"
    )


def test_the_log_of_spills_and_pruning() -> None:
    verdict = _check(
        stx(DW, R10, -16, R1),
        mov64_reg(R2, R10),
        add64_imm(R2, -8),
        stx(DW, R10, -8, R2),
        ldx(DW, R3, R1, 0),
        jgt_imm(R3, 5, "out"),
        mov64_imm(R3, -1),
        "out",
        *TAIL,
    )
    assert _text(verdict).splitlines()[5:] == [
        "5: (25) if r3 > 0x5 goto pc+1",
        " R1=ctx R2=fp-8 R3=inv R10=fp fp-16=ctx fp-8=fp",
        "6: (b7) r3 = -1",
        "7: (b7) r0 = 0",
        "8: (95) exit",
        "",
        "from 5 to 7: R1=ctx R2=fp-8 R3=inv R10=fp fp-16=ctx fp-8=fp",
        "7: (b7) r0 = 0",
        "8: (95) exit",
    ]
    pruned = _check(ldx(DW, R3, R1, 0), mov64_imm(R0, 0), jgt_imm(R3, 5, 1), ja(0), jgt_imm(R3, 7, 0), exit_())
    assert _text(pruned).endswith("5: (95) exit\n\nfrom 4 to 5: safe\n\nfrom 2 to 4: safe\n")


def test_the_log_loses_what_the_kernel_loses() -> None:
    verdict = _check(
        Instruction(0xDC, R0 + 1, 0, 0, 16),
        Instruction(0xD4, R1, 0, 0, 32),
        Instruction(0x87, R1),
        ld_imm64(R2, 0x1_0000_0002),
        mov32_imm(R0, -1),
        exit_(),
    )
    assert verdict.accepted
    assert _text(verdict).splitlines() == [
        "0: (dc) (u32) r1 endian (u32) r0",
        "1: (d4) (u32) r1 endian (u32) 32",
        "2: (87) r1 neg 0",
        "3: (18) r2 = 0x2",
        "5: (b4) (u32) r0 = (u32) -1",
        "6: (95) exit",
    ]


def test_the_kernels_address_may_be_any() -> None:
    log = _check(ld_map_fd(R2, ARRAY), *TAIL).log
    assert log is not None
    assert log.text is None
    rest = "2: (b7) r0 = 0\n3: (95) exit\n"
    assert log.admits(f"0: (18) r2 = 0x3a01f800\n{rest}")
    assert not log.admits(f"0: (18) r2 = 0x\n{rest}")
    assert not log.admits(f"0: (18) r2 = 0xfooled\n{rest}")
    assert not log.admits("0: (18) r2 = 0x3a01f800\n")


def test_operators_behind_the_table_print_anything() -> None:
    log = check((Instruction(0xF7, 1, 0, 0, 5), Instruction(0x95))).log
    assert log is not None
    assert log.admits("0: (f7) r1 (null) 5\ninvalid BPF_ALU opcode f0\n")
    assert not log.admits("0: (f7) r1 (null) 5\n")


def test_a_log_without_text_shows_a_byte_nobody_wrote() -> None:
    log = check((Instruction(0x0D), Instruction(0x95))).log
    assert log is not None
    assert log.admits("")
    assert log.admits("x")


@pytest.mark.parametrize(
    ("request_", "errno"),
    [
        (LogRequest(), None),
        (LogRequest(1, 128, True), None),
        (LogRequest(0xFFFFFFFF, 0xFFFFFF, True), None),
        (LogRequest(1, 127, True), "EINVAL"),
        (LogRequest(1, 0x1000000, True), "EINVAL"),
        (LogRequest(0, 128, True), "EINVAL"),
        (LogRequest(1, 128, False), "EINVAL"),
        (LogRequest(0, 0, True), "EINVAL"),
        (LogRequest(0, 1, False), "EINVAL"),
    ],
)
def test_log_parameters(request_: LogRequest, errno: str | None) -> None:
    assert _check(*TAIL, log=request_).errno == errno


def test_no_instruction_comes_before_bad_log_parameters() -> None:
    assert check((), log=LogRequest(1, 1, True)).errno == "E2BIG"
    assert check(TAIL[:1] * 4097).errno == "E2BIG"


def test_a_full_buffer_is_enospc_whatever_the_verdict() -> None:
    long = [mov64_imm(R0, 0)] * 20
    length = len(_text(_check(*long, exit_())))
    fits = _check(*long, exit_(), log=LogRequest(1, length + 2, True))
    assert fits.accepted
    full = _check(*long, exit_(), log=LogRequest(1, length + 1, True))
    assert full.errno == "ENOSPC"
    assert _text(full) == _text(fits)
    cut = _check(*long, mov64_reg(R0, R2), exit_(), log=LogRequest(1, length, True))
    assert (cut.errno, cut.message) == ("ENOSPC", "R2 !read_ok")
    assert cut.log is not None
    assert len(str(cut.log)) == length - 1
    assert cut.log.admits(str(cut.log))
    assert not cut.log.admits(str(cut.log)[:-1] + "!")


def test_a_length_that_hangs_on_an_address_is_in_doubt() -> None:
    pieces = [ld_map_fd(R2, ARRAY)] * 8 + list(TAIL)
    log = _check(*pieces).log
    assert log is not None
    least, most = log.length
    assert (least, most - least) == (least, 8 * 7)
    assert _check(*pieces, log=LogRequest(1, most + 2, True)).doubt == ""
    assert _check(*pieces, log=LogRequest(1, most + 1, True)).doubt
    assert _check(*pieces, log=LogRequest(1, least + 1, True)).errno == "ENOSPC"


def test_the_passes_come_in_their_order() -> None:
    """V-06 and V-07: the map before the loop, the loop before the uninitialised register."""
    bad_type, loop, bad_map = mov64_reg(R0, R2), ja(-1), ld_map_fd(R2, 99)
    assert _check(bad_type, loop, bad_map, exit_()).errno == "EBADF"
    assert _check(bad_type, loop, exit_()).message.startswith("back-edge")
    assert _check(bad_type, exit_()).message == "R2 !read_ok"


def test_a_hidden_call_of_nothing_brings_the_kernel_down() -> None:
    """fixup_bpf_calls() follows a null pointer; a kernel of 4.1.52 did."""
    hidden = (mov64_imm(R0, 0), jeq_imm(R0, 0, 1), call(7), exit_())
    verdict = _check(*hidden)
    assert (verdict.oops, verdict.errno, verdict.at) == (True, None, 2)
    assert not verdict.accepted
    assert "oopses" in verdict.doubt
    assert not _check(*hidden, kind="socket_filter").oops
    assert not _check(mov64_imm(R0, 1), *hidden[1:]).oops  # refused first


def test_constant_conditions_hide_code() -> None:
    """CFG-08, J-02: what no path reaches is not looked at, except by the scan."""
    hidden = (mov64_imm(R0, 0), jeq_imm(R0, 0, 1))
    assert _check(*hidden, Instruction(0xF7, 12, 12), exit_()).accepted
    assert _check(*hidden, Instruction(0x81), exit_()).errno == "EINVAL"
    assert _check(mov64_imm(R0, 0), jne_imm(R0, 0, 1), exit_(), Instruction(0xF7), exit_()).accepted
    assert not _check(mov64_imm(R0, 0), jeq_imm(R0, 1, 1), exit_(), Instruction(0xF7), exit_()).accepted


@pytest.mark.parametrize("program_", ACCEPTANCES, ids=lambda program_: program_.row)
def test_what_4_1_lets_pass(program_: Acceptance) -> None:
    verdict = check(program_.instructions, program_.kind)
    assert verdict.accepted, f"{program_.row}: {verdict.message}"


def test_the_frame_pointer_can_be_forgotten() -> None:
    """J-04: on the equal side R10 is a constant."""
    verdict = _check(mov64_imm(R0, 0), jeq_imm(R10, 0, "out"), exit_(), "out", store(DW, R10, -8, 0), exit_())
    assert verdict.message == "R10 invalid mem access 'imm'"


def test_a_move_to_itself_forgets() -> None:
    """check_alu_op(), kernel/bpf/verifier.c: the destination is marked unknown before the source is copied."""
    verdict = _check(mov64_reg(R1, R1), ldx(DW, R0, R1, 0), exit_())
    assert verdict.message == "R1 invalid mem access 'inv'"


def test_copies_of_a_lookup_stay_unchecked() -> None:
    """J-03."""
    verdict = _check(LOOKUP, mov64_reg(R6, R0), jeq_imm(R0, 0, "out"), ldx(DW, R0, R6, 0), "out", *TAIL)
    assert verdict.message == "R6 invalid mem access 'map_value_or_null'"


def test_one_map_behind_many_descriptors_counts_once() -> None:
    """LIM-03."""
    loads = [ld_map_fd(R2, fd) for fd in (*range(1000, 1063), ARRAY, ARRAY_AGAIN, ARRAY)]
    assert _check(*loads, *TAIL).accepted
    assert _check(*loads, ld_map_fd(R2, HASH), *TAIL).errno == "E2BIG"


def test_a_stale_half_of_an_address_keeps_states_apart() -> None:
    """A constant written over a map's address by a comparison is another one than a constant moved in: the path is not
    pruned."""
    verdict = _check(
        LOOKUP,
        mov64_reg(R6, R0),
        mov64_imm(R7, 0),
        jne_imm(R6, 0, "join"),  # falls through with r6 = 0 over an address
        jgt_imm(R7, 5, "join"),
        mov64_imm(R6, 0),
        "join",
        mov64_imm(R0, 0),
        exit_(),
    )
    assert verdict.accepted
    assert "safe" not in _text(verdict)


@pytest.mark.parametrize("kind", KINDS)
@given(instructions=st.one_of(st.lists(any_instructions, max_size=12).map(tuple), encodings))
@settings(max_examples=150, deadline=None)
def test_any_bytes_have_a_verdict(kind: str, instructions: tuple[Instruction, ...]) -> None:
    verdict = check(instructions, kind)
    assert verdict.errno in (None, "EINVAL", "EACCES", "EBADF", "E2BIG", "EFAULT")
    refused = verdict.errno is not None
    assert refused == (verdict.message != "" or (verdict.at is not None and not verdict.oops) or not instructions)
    if verdict.log is not None and verdict.log.text is not None:
        assert verdict.log.admits(verdict.log.text)


def test_refinement_of_pointer_sized_reads() -> None:
    """A load through two kinds of pointers is refused for 32 bits alone: do_check(), kernel/bpf/verifier.c."""
    for size, accepted in ((W, False), (DW, True)):
        verdict = _check(
            mov64_reg(R6, R1),
            LOOKUP,
            jeq_imm(R0, 0, "null"),
            mov64_reg(R6, R0),
            "null",
            ldx(size, R0, R6, 0),
            exit_(),
        )
        assert verdict.accepted == accepted
