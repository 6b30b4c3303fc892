# SPDX-License-Identifier: MIT
"""What is shown of a program since 5.10: every verifier accepts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R10,
    B,
    Piece,
    W,
    add64_imm,
    add64_reg,
    and64_imm,
    call,
    call_local,
    div64_imm,
    exit_,
    ja,
    jeq_imm,
    jeq_reg,
    jge_imm,
    jgt_imm,
    jlt_imm,
    jne_imm,
    jset_imm,
    jsge_imm,
    jsgt_imm,
    jslt_imm,
    ld_map_fd,
    ldx,
    lsh64_imm,
    mov64_imm,
    mov64_reg,
    or64_reg,
    program,
    st,
    stx,
    sub64_imm,
    sub64_reg,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Pseudo
from harness.model.upstream import upstream
from harness.model.verifier import Limits, MapShape, ProgramKind, VerifierContext, kprobe
from harness.model.verifier.later import safety
from harness.release import Release

RELEASES: tuple[Release, ...] = ((5, 10), (6, 1), (6, 12), (7, 2))
ARRAY, DATA, CONSTANTS, HASH, UNREADABLE, SEVERAL, PROGRAMS = 3, 4, 5, 6, 7, 8, 10
MAPS = {
    ARRAY: MapShape(2, 4, 8, entries=4),
    DATA: MapShape(2, 4, 16, entries=1),
    CONSTANTS: MapShape(2, 4, 8, writable=False, entries=1, content=(5).to_bytes(8, "little")),
    HASH: MapShape(1, 8, 64, entries=10),
    UNREADABLE: MapShape(2, 4, 8, readable=False, entries=1),
    SEVERAL: MapShape(2, 4, 8, entries=2),
    PROGRAMS: MapShape(3, 4, 4, entries=4),
}
TAIL = (mov64_imm(R0, 0), exit_())
KEY = (st(DW, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -8))
LOOKUP = (KEY, ld_map_fd(R1, HASH), call(1), jne_imm(R0, 0, "found"), exit_(), "found")
ZERO = (mov64_imm(R2, 0), stx(DW, R10, -8, R2))
READ = (mov64_reg(R1, R10), add64_imm(R1, -64))
"""R1 for bpf_probe_read_kernel into 64 bytes of stack."""


def value(register: int, descriptor: int, off: int = 0) -> tuple[Instruction, Instruction]:
    return Instruction(LD_IMM64, register, Pseudo.MAP_VALUE, 0, descriptor), Instruction(0, imm=off)


INDEX = (
    (value(R6, DATA), ldx(B, R7, R1, 0), and64_imm(R7, 15)),
    (jlt_imm(R7, 5, "out"), jgt_imm(R7, 10, "out")),
)
"""R7, from 5 to 10, for R6, which points to 16 bytes."""


def kind(release: Release) -> ProgramKind:
    return replace(kprobe(168), helpers={**kprobe(168).helpers, **upstream(release).verifier.prototypes})


def doubt(
    release: Release, *pieces: Piece, aligned: bool = False, gpl: bool = True, tail_calls_of_functions: bool = True
) -> str:
    """Why it is not shown that the release accepts a program, "" where it is; for what it refuses for certain, errno
    and message."""
    limits = Limits(helpers=10_000)
    context = VerifierContext(
        kind(release),
        gpl,
        lambda fd: MAPS.get(fd, "EBADF"),
        limits=limits,
        tail_calls_of_functions=tail_calls_of_functions,
        aligned=aligned,
    )
    said = safety.judge(program(*pieces).instructions, context, upstream(release).verifier, release)
    return said if isinstance(said, str) else f"{said.errno}: {said.message}" if said.errno else ""


ACCEPTED: dict[str, tuple[Piece, ...]] = {
    "global data": (value(R1, DATA), mov64_imm(R2, 1), stx(DW, R1, 8, R2), ldx(W, R0, R1, 4), exit_()),
    "global data from its middle": (value(R1, DATA, 12), st(W, R1, 0, 1), *TAIL),
    "a constant decides a branch": (value(R1, CONSTANTS), ldx(W, R1, R1, 0), jeq_imm(R1, 5, 1), call(9999), *TAIL),
    "half of a constant is 0": (value(R1, CONSTANTS), ldx(W, R1, R1, 4), jeq_imm(R1, 0, 1), call(9999), *TAIL),
    "an index below a bound": (
        (value(R6, DATA), ldx(W, R7, R1, 0), jgt_imm(R7, 15, "out")),
        (add64_reg(R6, R7), ldx(B, R0, R6, 0), "out", *TAIL),
    ),
    "an index without a sign": (
        (value(R6, DATA), ldx(DW, R7, R1, 0), jslt_imm(R7, 0, "out"), jsgt_imm(R7, 15, "out")),
        (add64_reg(R6, R7), ldx(B, R0, R6, 0), "out", *TAIL),
    ),
    "a masked index, shifted": (
        (value(R6, DATA), ldx(DW, R7, R1, 0), and64_imm(R7, 3), lsh64_imm(R7, 2)),
        (add64_reg(R6, R7), ldx(W, R0, R6, 0), *TAIL),
    ),
    "a lookup's copy is checked": (
        LOOKUP[:3],
        mov64_reg(R6, R0),
        jeq_imm(R6, 0, "out"),
        st(B, R0, 63, 1),
        "out",
        *TAIL,
    ),
    "a key in a map's value": (LOOKUP, mov64_reg(R2, R0), ld_map_fd(R1, HASH), call(1), mov64_imm(R0, 0), exit_()),
    "memory of a size between bounds": (
        (st(DW, R10, -8, 0), LOOKUP, mov64_reg(R6, R0), ldx(DW, R2, R6, 0), and64_imm(R2, 31), mov64_reg(R1, R6)),
        (mov64_imm(R3, 0), call(113), *TAIL),
    ),
    "memory that a helper fills": (READ, mov64_imm(R2, 64), mov64_imm(R3, 0), call(113), ldx(DW, R0, R10, -8), exit_()),
    "a pointer on the stack": (stx(DW, R10, -8, R1), call(14), ldx(DW, R1, R10, -8), ldx(DW, R0, R1, 0), exit_()),
    "a constant on the stack": (
        (mov64_imm(R2, 3), stx(DW, R10, -8, R2), ldx(DW, R3, R10, -8), jeq_imm(R3, 3, 1), call(9999)),
        TAIL,
    ),
    "a loop with a counter": (mov64_imm(R6, 0), "again", call(14), add64_imm(R6, 1), jlt_imm(R6, 20, "again"), *TAIL),
    "a function that writes its caller's stack": (
        (mov64_reg(R1, R10), add64_imm(R1, -8), call_local("f"), ldx(DW, R0, R10, -8), exit_()),
        ("f", st(DW, R1, 0, 1), mov64_imm(R0, 0), exit_()),
    ),
    "a function called twice": (
        (mov64_reg(R6, R1), call_local("f"), mov64_reg(R1, R6), call_local("f"), exit_()),
        ("f", ldx(DW, R0, R1, 0), exit_()),
    ),
    "functions with all of the stack": (
        (st(DW, R10, -480, 0), call_local("f"), exit_(), "f", st(DW, R10, -32, 0), *TAIL),
    ),
    "the distance of two pointers": (mov64_reg(R2, R10), sub64_reg(R2, R1), *TAIL),
    "an atomic addition": (value(R1, DATA), mov64_imm(R2, 1), Instruction(0xDB, R1, R2, 8), *TAIL),
    "20 diamonds that one value decides": (
        (ldx(W, R6, R1, 0), mov64_imm(R2, 0)),
        ([(jeq_imm(R6, one, 1), add64_imm(R2, 1)) for one in range(20)], *TAIL),
    ),
}
OPEN: dict[str, tuple[tuple[Piece, ...], str]] = {
    "behind global data": ((value(R1, DATA), ldx(DW, R0, R1, 16), exit_()), "bytes 16 to 24 of 16"),
    "before global data": ((value(R1, DATA), ldx(DW, R0, R1, -8), exit_()), "bytes -8 to 0"),
    "a reference behind a value": ((value(R1, DATA, 16), *TAIL), "no single value"),
    "a reference to one of several values": ((value(R1, SEVERAL), *TAIL), "no single value"),
    "a closed descriptor": ((value(R1, 99), *TAIL), "what is no map"),
    "a store to constants": ((value(R1, CONSTANTS), st(W, R1, 0, 1), *TAIL), "the map forbids"),
    "a load from what only system calls read": ((value(R1, UNREADABLE), ldx(W, R0, R1, 0), exit_()), "the map forbids"),
    "a helper fills constants": (
        (value(R1, CONSTANTS), mov64_imm(R2, 8), mov64_imm(R3, 0), call(113), *TAIL),
        "the map forbids",
    ),
    "the branch that a constant leads to": (
        (value(R1, CONSTANTS), ldx(W, R1, R1, 0), jeq_imm(R1, 4, 1), call(9999), *TAIL),
        "helper 9999",
    ),
    "data is no constant": ((value(R1, DATA), ldx(W, R1, R1, 0), jeq_imm(R1, 0, 1), call(9999), *TAIL), "helper 9999"),
    "an index one too high": (
        (value(R6, DATA), ldx(W, R7, R1, 0), jgt_imm(R7, 16, 2), add64_reg(R6, R7), ldx(B, R0, R6, 0), *TAIL),
        "bytes 0 to 17 of 16",
    ),
    "an index with a sign": (
        (value(R6, DATA), ldx(DW, R7, R1, 0), jsgt_imm(R7, 15, 2), add64_reg(R6, R7), ldx(B, R0, R6, 0), *TAIL),
        "far away",
    ),
    "an index of a division": (
        (value(R6, DATA), ldx(B, R7, R1, 0), div64_imm(R7, 16), add64_reg(R6, R7), *TAIL),
        "far",
    ),
    "what may be null": ((LOOKUP[:3], ldx(DW, R0, R0, 0), exit_()), "no pointer"),
    "a null check by a register": (
        (LOOKUP[:3], mov64_imm(R6, 0), jeq_reg(R0, R6, "out"), st(DW, R0, 0, 1), "out", *TAIL),
        "another comparison than one with a constant 0",
    ),
    "another lookup's null check": (
        (LOOKUP[:3], mov64_reg(R6, R0), LOOKUP[:3], jeq_imm(R0, 0, "out"), ldx(DW, R0, R6, 0), "out", *TAIL),
        "no pointer",
    ),
    "a shift by all bits": ((mov64_imm(R0, 1), lsh64_imm(R0, 64), exit_()), "a shift by more bits"),
    "a shift by less than none": ((mov64_imm(R0, 1), lsh64_imm(R0, -1), exit_()), "a shift by more bits"),
    "a division by 0": ((mov64_imm(R0, 1), div64_imm(R0, 0), exit_()), "a division by 0"),
    "bits of a pointer": ((or64_reg(R1, R10), *TAIL), "arithmetic on two pointers"),
    "a stack pointer moved back": ((mov64_reg(R1, R10), sub64_imm(R1, 8), *TAIL), "backwards"),
    "a moved context": ((add64_imm(R1, 8), ldx(DW, R0, R1, 0), exit_()), "access to the context"),
    "behind the context": ((ldx(DW, R0, R1, 168), exit_()), "access to the context"),
    "a store to the context": ((st(DW, R1, 0, 0), *TAIL), "access to the context"),
    "an unwritten register": ((mov64_reg(R0, R6), exit_()), "nobody wrote"),
    "the rest of a zero": (
        (ldx(W, R6, R1, 0), ZERO, stx(W, R10, -8, R6), ldx(W, R3, R10, -4), jeq_imm(R3, 0, 1), call(9999), *TAIL),
        "helper 9999",
    ),
    "the beginning of a zero": (
        (ldx(W, R6, R1, 0), ZERO, stx(W, R10, -4, R6), ldx(W, R3, R10, -8), jeq_imm(R3, 0, 1), call(9999), *TAIL),
        "helper 9999",
    ),
    "two halves of a zero": (
        (
            (mov64_imm(R2, 0), stx(W, R10, -8, R2), stx(W, R10, -4, R2), ldx(DW, R3, R10, -8)),
            (jeq_imm(R3, 0, 1), call(9999), *TAIL),
        ),
        "helper 9999",
    ),
    "an index with bits that its bounds rule out": (
        (INDEX, jset_imm(R7, 12, "in"), "in", add64_reg(R6, R7), ldx(B, R0, R6, 0), "out", *TAIL),
        "out of bounds on a path that is not taken",
    ),
    "a size with bits that its bounds rule out": (
        (INDEX, READ, mov64_reg(R2, R7), jset_imm(R7, 12, "in"), "in", mov64_imm(R3, 0), call(113), "out", *TAIL),
        "out of bounds on a path that is not taken",
    ),
    "a comparison with bits that its bounds rule out": (
        (INDEX, jset_imm(R7, 12, "out"), jlt_imm(R7, 5, "bad"), "out", *TAIL, "bad", call(9999), *TAIL),
        "helper 9999",
    ),
    "a comparison with a multiple that its bounds rule out": (
        (
            (ldx(DW, R7, R1, 0), and64_imm(R7, 7), lsh64_imm(R7, 3), jlt_imm(R7, 1, "out"), jgt_imm(R7, 7, "out")),
            (jlt_imm(R7, 1, "bad"), "out", *TAIL, "bad", call(9999), *TAIL),
        ),
        "helper 9999",
    ),
    "an index with a sign that its bounds rule out": (
        (
            (value(R6, DATA), ldx(DW, R7, R1, 0), jlt_imm(R7, 5, "out"), jsge_imm(R7, 5, "out")),
            (jslt_imm(R7, 0, "out"), jgt_imm(R7, 15, "out"), add64_reg(R6, R7), ldx(B, R0, R6, 0), "out", *TAIL),
        ),
        "out of bounds on a path that is not taken",
    ),
    "a misaligned stack": ((st(DW, R10, -12, 0), *TAIL), "misaligned"),
    "below the stack": ((st(DW, R10, -520, 0), *TAIL), "access to the stack"),
    "part of a pointer": ((stx(DW, R10, -8, R1), ldx(W, R0, R10, -8), exit_()), "part of a pointer"),
    "a helper reads a pointer": (
        (stx(DW, R10, -8, R1), mov64_reg(R2, R10), add64_imm(R2, -8), LOOKUP[1:], exit_()),
        "a",
    ),
    "memory that ends before": (
        (LOOKUP, mov64_reg(R1, R0), mov64_imm(R2, 65), mov64_imm(R3, 0), call(113), *TAIL),
        "bytes 0 to 65 of 64",
    ),
    "no result": ((mov64_imm(R1, 0), exit_()), "without a result"),
    "a result of a call that gives none": ((call(14), mov64_reg(R0, R1), exit_()), "nobody wrote"),
    "a loop without a counter": (("again", call(14), jne_imm(R0, 0, "again"), *TAIL), "endless"),
    "a loop that never ends": (
        (mov64_imm(R6, 0), "again", add64_imm(R6, 1), jge_imm(R6, 0, "again"), *TAIL),
        "more than",
    ),
    "what no path reaches": ((ja(1), call(14), *TAIL), "no path reaches"),
    "a jump into a constant": ((mov64_imm(R0, 0), jeq_imm(R0, 0, 1), value(R1, DATA), exit_()), "no path reaches"),
    "functions with too much stack": (
        (st(DW, R10, -488, 0), call_local("f"), exit_(), "f", st(DW, R10, -32, 0), *TAIL),
        "nest too deeply",
    ),
    "a function that calls itself": ((call_local("f"), exit_(), "f", call_local("f"), exit_()), "nest too deeply"),
    "a function returns its stack": (
        (call_local("f"), exit_(), "f", mov64_reg(R0, R10), exit_()),
        "pointer to a stack",
    ),
    "a jump out of a function": ((call_local("f"), "out", exit_(), "f", mov64_imm(R0, 0), ja("out")), "into another"),
    "a function keeps no registers": ((call_local("f"), mov64_reg(R0, R1), exit_(), "f", *TAIL), "nobody wrote"),
    "20 diamonds that nothing decides": (
        (
            [(ldx(B, R6, R1, 0), jeq_imm(R6, one, 1), mov64_imm(R6, 0)) for one in range(20)],
            TAIL,
        ),
        "1,000,000",
    ),
    "9,000 ways out": (
        (ldx(W, R6, R1, 0), mov64_imm(R0, 0), [jeq_imm(R6, one, "out") for one in range(9000)], "out", exit_()),
        "8,192",
    ),
}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("what", ACCEPTED)
def test_what_is_accepted(what: str, release: Release) -> None:
    assert doubt(release, *ACCEPTED[what]) == ""


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("what", OPEN)
def test_what_is_open(what: str, release: Release) -> None:
    pieces, why = OPEN[what]
    assert why in doubt(release, *pieces)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    "pieces",
    [
        (ldx(DW, R0, R10, -8), exit_()),
        (st(W, R10, -8, 0), ldx(DW, R0, R10, -8), exit_()),
        (mov64_reg(R2, R10), add64_imm(R2, -8), ld_map_fd(R1, HASH), call(1), *TAIL),
        (st(W, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -8), ld_map_fd(R1, HASH), call(1), *TAIL),
    ],
)
def test_what_nobody_stored_may_be_read_since_6_8(pieces: tuple[Piece, ...], release: Release) -> None:
    """By a load as by a helper."""
    assert ("nothing may have been stored" in doubt(release, *pieces)) is (release < (6, 8))


def test_values_of_maps_are_aligned_where_the_architecture_demands_it() -> None:
    misaligned = (value(R1, DATA), ldx(DW, R0, R1, 4), exit_())
    assert doubt((6, 1), *misaligned) == ""
    assert "misaligned" in doubt((6, 1), *misaligned, aligned=True)
    assert doubt((6, 1), value(R1, DATA), ldx(DW, R0, R1, 8), exit_(), aligned=True) == ""


def test_helpers_for_programs_under_the_gpl() -> None:
    reading = (READ, mov64_imm(R2, 8), mov64_imm(R3, 0), call(113), *TAIL)
    assert doubt((6, 1), *reading) == ""
    assert "under the GPL" in doubt((6, 1), *reading, gpl=False)


def test_tail_calls_of_programs_with_functions() -> None:
    jump = (ld_map_fd(R2, PROGRAMS), mov64_imm(R3, 0), call(12), *TAIL)
    both = (mov64_reg(R6, R1), call_local("f"), mov64_reg(R1, R6), *jump, "f", *TAIL)
    assert doubt((6, 1), *both) == ""
    assert doubt((6, 1), *jump, tail_calls_of_functions=False) == ""
    assert "functions, and a tail call" in doubt((6, 1), *both, tail_calls_of_functions=False)


def test_records_must_be_given_back() -> None:
    MAPS[9] = MapShape(27, 0, 0, entries=4096)
    reserve = (ld_map_fd(R1, 9), mov64_imm(R2, 16), mov64_imm(R3, 0), call(131), jeq_imm(R0, 0, "out"))
    submit = (mov64_reg(R1, R0), mov64_imm(R2, 0), call(132))
    assert doubt((6, 1), *reserve, st(DW, R0, 8, 1), *submit, "out", *TAIL) == ""
    assert "bytes 16 to 24 of 16" in doubt((6, 1), *reserve, st(DW, R0, 16, 1), *submit, "out", *TAIL)
    assert "while a record is held" in doubt((6, 1), *reserve, "out", *TAIL)
    assert "nobody wrote" in doubt((6, 1), *reserve, mov64_reg(R6, R0), *submit, mov64_reg(R0, R6), "out", *TAIL)


def test_a_release_knows_its_own_operations_only() -> None:
    fetch = (value(R1, DATA), mov64_imm(R2, 1), Instruction(0xDB, R1, R2, 8, 1), *TAIL)
    assert doubt((5, 10), *fetch) == "EINVAL: BPF_STX uses reserved fields"
    assert doubt((6, 1), *fetch) == ""


@pytest.mark.parametrize("release", RELEASES)
def test_what_every_verifier_comes_to_is_refused(release: Release) -> None:
    """And nothing is said behind a branch that may go either way, or that is not taken."""
    refused = "EINVAL: invalid func 20000"
    assert doubt(release, call(14), call(20_000), *TAIL) == refused
    assert doubt(release, mov64_imm(R6, 1), jeq_imm(R6, 1, "taken"), *TAIL, "taken", call(20_000), *TAIL) == refused
    assert doubt(release, mov64_imm(R6, 0), jeq_imm(R6, 1, "not"), *TAIL, "not", call(20_000), *TAIL) == ""
    assert "may not be taken" in doubt(
        release, ldx(B, R6, R1, 0), jeq_imm(R6, 1, "or"), *TAIL, "or", call(20_000), *TAIL
    )
    assert "nobody wrote" in doubt(release, mov64_reg(R0, R6), call(20_000), *TAIL)
