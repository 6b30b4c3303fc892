# SPDX-License-Identifier: MIT
"""Programs that read registers of another architecture than the lane's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.abi.pt_regs import pt_regs
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    call_local,
    exit_,
    jeq_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    stx,
)
from harness.objects.btf.reader import Btf
from harness.objects.btf.registers import architecture
from harness.objects.context import reads
from harness.objects.object_file import Pending
from harness.objects.reader import read
from harness.objects.reasons import Reason
from harness.report.programs import cell, reached, style
from harness.run.checked import OTHER_REGISTERS, Checked, Word
from harness.script.operations import ReadProfile
from harness.script.outcome import Outcome
from tests.harness.check.trying import fared, trial
from tests.harness.objects.probes import probe
from tests.harness.objects.types import Types

X86_64, ARM64 = pt_regs("x86_64", "6.1"), pt_regs("arm64", "6.1")
MEMBERS = {
    "x86_64": ("r15", "di", "ip"),
    "arm64": ("regs", "sp", "pc", "pstate"),
    "riscv64": ("epc", "ra", "sp"),
    "something": ("r15", "pc"),
}
HIT = Outcome(value=1, data=bytes(8))


def types(*names: str, structure: str = "pt_regs") -> bytes:
    """Type information with a structure of that name as each of these architectures has it."""
    made = Types()
    word = made.int("u64", 8, 0)
    for name in names:
        made.struct(structure, 8 * len(MEMBERS[name]), **{one: (word, 64 * at) for at, one in enumerate(MEMBERS[name])})
    return made.content()


def reading(*offsets: int) -> tuple[Piece, ...]:
    return (*(ldx(DW, R2, R1, offset) for offset in offsets), mov64_imm(R0, 0), exit_())


def hit(content: bytes, arch: str) -> Checked:
    """How the program fares where the kernel takes it, and it is hit."""
    return fared(
        trial(content, arch=arch), lambda one: HIT if isinstance(one, ReadProfile) else Outcome(value=0), arch=arch
    )


@pytest.mark.parametrize(
    ("compiled", "offset", "lane", "there", "here"),
    [
        ("x86_64", X86_64.argument(0), "arm64", "di of x86_64", "x14"),
        ("x86_64", X86_64.offsets["r15"], "arm64", "r15 of x86_64", "x0"),
        ("arm64", ARM64.argument(1), "x86_64", "x1 of arm64", "r14"),
        ("riscv64", 80, "arm64", "a0 of riscv64", "x10"),
    ],
)
def test_what_the_types_of_the_object_prove_is_not_green(
    compiled: str, offset: int, lane: str, there: str, here: str
) -> None:
    content = probe("kprobe/cap_task_prctl", *reading(offset), types=types(compiled))
    found = hit(content, lane)
    assert (found.word, found.fine, style(found)) == (Word.FIRES, False, "red")
    (why,) = found.whys
    assert (why.kind, why.instruction) == (OTHER_REGISTERS, 0)
    assert why.what == f"probe reads {there} in its context, at byte {offset}; on {lane} that is {here}"
    assert "wrong registers" in cell(found)
    assert reached([found]) == "of 1 trial: 1 fire, 1 with registers of another architecture"
    own = hit(content, compiled)
    assert (own.fine, own.whys, own.notes, style(own)) == (True, (), (), "green")


def test_who_expects_it_is_not_told_that_it_is_red() -> None:
    found = hit(probe("kprobe/cap_task_prctl", *reading(112), types=types("x86_64")), "arm64")
    wanted = Checked(**{**vars(found), "expected": "fires"})
    assert (wanted.fine, style(wanted)) == (True, "yellow")


def test_a_program_that_reads_no_register_is_for_every_architecture() -> None:
    found = hit(probe(types=types("x86_64")), "arm64")
    assert (found.fine, found.whys, found.notes) == (True, (), ())


def test_another_kind_of_context_has_no_registers() -> None:
    one = trial(probe("tracepoint/sched/sched_switch", *reading(8), types=types("x86_64")), arch="arm64")
    assert one.foreign.why is None
    assert not one.foreign.note


@pytest.mark.parametrize(
    ("section", "offsets", "lane", "said"),
    [
        ("kprobe/cap_task_prctl", (112, 104), "arm64", "on x86_64 they are si, di"),
        ("kretprobe/cap_task_prctl", (80,), "arm64", "on x86_64 they are ax and on riscv64 they are a0"),
        ("kprobe/cap_task_prctl", (0, 8), "x86_64", "on arm64 they are x0, x1"),
        ("kprobe/cap_task_prctl", (112, 104), "x86_64", ""),
        ("kprobe/cap_task_prctl", (0, 112), "arm64", ""),
        ("kprobe/cap_task_prctl", (120, 112), "arm64", "on riscv64 they are a4, a5"),
        ("kprobe/cap_task_prctl", (24,), "arm64", ""),
        ("kprobe/cap_task_prctl", (144,), "arm64", ""),
    ],
)
def test_offsets_alone_are_only_a_note(section: str, offsets: tuple[int, ...], lane: str, said: str) -> None:
    found = hit(probe(section, *reading(*offsets)), lane)
    assert (found.fine, found.whys) == (True, ())
    (note,) = found.notes or ("",)
    assert said in note
    assert bool(said) == bool(note)
    assert not said or f"on {lane} it reads" in note


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (types("x86_64"), "x86_64"),
        (types("arm64", structure="user_pt_regs"), "arm64"),
        (types("riscv64"), "riscv64"),
        (types("x86_64", "arm64"), ""),
        (types("something"), ""),
        (types("x86_64", structure="pt_regs___mine"), ""),
        (types("arm64", structure="user_regs_struct"), ""),
    ],
)
def test_the_architecture_is_told_by_structures_that_only_it_has(content: bytes, expected: str) -> None:
    assert architecture(Btf(content)) == expected


def test_members_without_a_name_are_looked_into() -> None:
    made = Types()
    word = made.int("u64", 8, 0)
    inner = made.struct("", 32, regs=(word, 0), sp=(word, 64), pc=(word, 128), pstate=(word, 192))
    made.struct("pt_regs", 32, **{"": (inner, 0)})
    assert architecture(Btf(made.content())) == "arm64"
    assert architecture(None) == ""


BODIES: list[tuple[str, tuple[Piece, ...], list[tuple[int, int]]]] = [
    ("a copy of the address", (mov64_reg(R6, R1), call(5), ldx(DW, R2, R6, 16), exit_()), [(2, 16)]),
    ("none behind a call", (call(5), ldx(DW, R2, R1, 16), exit_()), []),
    (
        "a copy by a helper",
        (
            *(mov64_reg(R3, R1), add64_imm(R3, 112), mov64_reg(R1, R10), add64_imm(R1, -8), mov64_imm(R2, 8)),
            *(call(Helper.PROBE_READ_KERNEL), exit_()),
        ),
        [(5, 112)],
    ),
    (
        "not where only one way leads",
        (mov64_imm(R6, 0), jeq_imm(R2, 0, "on"), mov64_reg(R6, R1), "on", ldx(DW, R2, R6, 8), exit_()),
        [],
    ),
    (
        "on both ways",
        (mov64_reg(R6, R1), jeq_imm(R2, 0, "on"), ldx(DW, R2, R6, 8), "on", ldx(DW, R2, R6, 24), exit_()),
        [(2, 8), (3, 24)],
    ),
    ("in a function", (call_local("f"), exit_(), "f", ldx(DW, R0, R1, 32), exit_()), [(2, 32)]),
    ("not of what it read", (ldx(DW, R1, R1, 32), ldx(DW, R2, R1, 40), exit_()), [(0, 32)]),
    ("not through the stack", (stx(DW, R10, -8, R1), ldx(DW, R2, R10, -8), ldx(DW, R3, R2, 40), exit_()), []),
]


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_reads_of_the_context_are_found(body: tuple[Piece, ...], expected: list[tuple[int, int]]) -> None:
    (program,) = read(probe("kprobe/cap_task_prctl", *body)).programs
    assert [(one.instruction, one.offset) for one in reads(program)] == expected


def test_what_the_types_of_the_kernel_decide_is_left_out() -> None:
    (program,) = read(probe("kprobe/cap_task_prctl", *reading(112, 104))).programs
    relocated = replace(program, pending=(Pending(Reason.NEEDS_KERNEL_TYPES, 0, "struct pt_regs.di"),))
    assert [one.offset for one in reads(relocated)] == [104]
