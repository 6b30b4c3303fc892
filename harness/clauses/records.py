# SPDX-License-Identifier: MIT
"""Records of ring buffers that programs reserve, write in place and give back: what consumers find, and what verifiers
demand; kernel/bpf/ringbuf.c, kernel/bpf/verifier.c.
"""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.results import DATA, attached, data, keep, results_are
from harness.clauses.ring_buffer import BUFFER, MAPPED, PAGE, RING, ask, put, since_5_10
from harness.core_scripts.parts import array, prctl
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R8,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.clause import WORKS, Clause, Said, expect, found, records
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    MapType,
    ProgramType,
    ReadRingBuffer,
)
from harness.script.outcome import Message


def clauses(layout: PtRegs) -> tuple[Clause, ...]:
    return (*_records(layout), *_verifier())


_GIVE_BACK: tuple[Piece, ...] = (mov64_reg(R1, R8), mov64_imm(R2, 0), call(Helper.RINGBUF_SUBMIT))
_THROW_AWAY: tuple[Piece, ...] = (mov64_reg(R1, R8), mov64_imm(R2, 0), call(Helper.RINGBUF_DISCARD))


def _reserve(size: int, then: Piece, out: str = "out", flags: int = 0) -> Piece:
    """Reserves a record of `size` bytes, and runs `then`, with it in R8, if there was room."""
    arguments = (ld_map(R1, "map"), mov64_imm(R2, size), mov64_imm(R3, flags))
    return (arguments, call(Helper.RINGBUF_RESERVE), jeq_imm(R0, 0, out), mov64_reg(R8, R0), then, out)


def _put_record(size: int) -> Piece:
    """Calls bpf_ringbuf_output() with the beginning of the record in R8."""
    return (ld_map(R1, "map"), mov64_reg(R2, R8), mov64_imm(R3, size), mov64_imm(R4, 0), call(Helper.RINGBUF_OUTPUT))


def _copy_data() -> Piece:
    """Calls bpf_probe_read_kernel() from the data on the stack into the beginning of the record in R8."""
    where = (mov64_reg(R1, R8), mov64_imm(R2, 8), mov64_reg(R3, R10), add64_imm(R3, -24))
    return (where, call(Helper.PROBE_READ_KERNEL))


def _records(layout: PtRegs) -> tuple[Clause, ...]:
    one = (st(DW, R8, 0, 1), st(DW, R8, 8, 2))
    content = (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
    return (
        since_5_10(
            "RBUF-22.larger",
            "bpf_ringbuf_reserve returns NULL for a record that could never fit",
            RING,
            *attached(layout, _reserve(PAGE - 8, _GIVE_BACK), _reserve(PAGE - 16, _GIVE_BACK, "out2"), ask(3), keep(0)),
            prctl(),
            *results_are(PAGE - 8),
        ),
        since_5_10(
            "RBUF-30",
            "A record from bpf_ringbuf_reserve is written in place, and appears when it is submitted",
            *MAPPED,
            *attached(layout, _reserve(16, (one, _GIVE_BACK))),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(content, 3))),
        ),
        since_5_10(
            "RBUF-31",
            "A record that is discarded keeps its place, with a mark",
            *MAPPED,
            *attached(layout, _reserve(16, (one, _THROW_AWAY)), data(), put(8)),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(content, 3, discarded=True), Message(DATA[:8], 3))),
        ),
        since_5_10(
            "RBUF-32",
            "A record from bpf_ringbuf_reserve holds what lay there before",
            *MAPPED,
            *attached(
                layout,
                _reserve(PAGE // 2 - 8, (ldx(DW, R6, R8, 0), st(DW, R8, 0, 7), _GIVE_BACK, mov64_reg(R0, R6), keep(0))),
            ),
            prctl(),
            *results_are(0),
            expect(ReadRingBuffer(BUFFER), records(1)),
            prctl(),
            expect(ReadRingBuffer(BUFFER), records(1)),
            prctl(),
            *results_are(7),
        ),
        since_5_10(
            "RBUF-33",
            "bpf_ringbuf_reserve returns NULL if it is given a flag",
            *MAPPED,
            *attached(layout, _reserve(16, _GIVE_BACK, flags=1), ask(3), keep(0)),
            prctl(),
            *results_are(0),
            expect(ReadRingBuffer(BUFFER), found()),
        ),
        since_5_10(
            "RBUF-35",
            "Records appear in the order in which they were reserved",
            *MAPPED,
            *attached(layout, data(), _reserve(16, (one, put(8), _GIVE_BACK))),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(content, 3), Message(DATA[:8], 3))),
        ),
        since_5_10(
            "RBUF-36",
            "A record is memory that helpers read and write",
            *MAPPED,
            *attached(layout, data(), _reserve(16, (one, _put_record(8), _copy_data(), _GIVE_BACK))),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(DATA[:8] + content[8:], 3), Message(content[:8], 3))),
        ),
        since_5_10(
            "RBUF-34",
            "A record may be empty",
            *MAPPED,
            *attached(layout, _reserve(0, _GIVE_BACK)),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(b"", 3))),
        ),
    )


def _verifier() -> tuple[Clause, ...]:
    end = (mov64_imm(R0, 0), exit_())
    reserve = (ld_map(R1, "map"), mov64_imm(R2, 16), mov64_imm(R3, 0), call(Helper.RINGBUF_RESERVE))
    away = (mov64_reg(R1, R6), ld_map(R2, "programs"), mov64_imm(R3, 0), call(Helper.TAIL_CALL))
    twice = (_GIVE_BACK, _GIVE_BACK)
    copied = (mov64_reg(R8, R0), jeq_imm(R0, 0, "out"))
    rows: tuple[tuple[str, str, Said, tuple[Piece, ...]], ...] = (
        (
            "RBUF-40",
            "A program that reserves a record and does not give it back gives EINVAL",
            "EINVAL",
            (reserve, end),
        ),
        (
            "RBUF-40.checked",
            "A program that reserves a record, checks it for NULL and does not give it back gives EINVAL",
            "EINVAL",
            (_reserve(16, st(DW, R8, 0, 1)), end),
        ),
        ("RBUF-40.once", "A program that gives a record back twice gives EACCES", "EACCES", (_reserve(16, twice), end)),
        (
            "RBUF-41",
            "A program that gives a record back without checking it for NULL gives EACCES",
            "EACCES",
            (reserve, mov64_reg(R8, R0), _GIVE_BACK, end),
        ),
        (
            "RBUF-42",
            "A program that writes to a record it has given back gives EACCES",
            "EACCES",
            (_reserve(16, (_GIVE_BACK, st(DW, R8, 0, 1))), end),
        ),
        (
            "RBUF-43",
            "A program that writes behind the end of a record gives EACCES",
            "EACCES",
            (_reserve(16, (st(DW, R8, 16, 1), _GIVE_BACK)), end),
        ),
        (
            "RBUF-44",
            "A program that gives back a pointer to its stack gives EACCES",
            "EACCES",
            (mov64_reg(R8, R10), _GIVE_BACK, end),
        ),
        (
            "RBUF-44.context",
            "A program that gives back its context gives EACCES",
            "EACCES",
            (mov64_reg(R8, R1), _GIVE_BACK, end),
        ),
        (
            "RBUF-45",
            "A program that uses R0 after it gave a record back, which leaves nothing there, gives EACCES",
            "EACCES",
            (_reserve(16, (_GIVE_BACK, exit_())), end),
        ),
        (
            "RBUF-41.written",
            "A program that writes to a record without checking it for NULL gives EACCES",
            "EACCES",
            (reserve, st(DW, R0, 0, 1), mov64_reg(R8, R0), _GIVE_BACK, end),
        ),
        (
            "RBUF-41.copy",
            "A check of one copy of the pointer to a record for NULL is a check of all copies",
            WORKS,
            (reserve, copied, _GIVE_BACK, "out", end),
        ),
        (
            "RBUF-43.helper",
            "A program that hands more of a record to a helper than it has gives EACCES",
            "EACCES",
            (_reserve(16, (_put_record(24), _GIVE_BACK)), end),
        ),
        (
            "RBUF-46",
            "A program of any licence may reserve, submit and put out records",
            WORKS,
            (data(), put(16), _reserve(16, _GIVE_BACK), end),
        ),
    )
    return (
        *(
            since_5_10(
                id,
                sentence,
                RING,
                expect(LoadProgram("program", ProgramType.KPROBE, program(*pieces), "Proprietary"), said),
            )
            for id, sentence, said, pieces in rows
        ),
        since_5_10(
            "RBUF-40.tail-call",
            "A program that makes a tail call while it holds a record gives EINVAL; after it gave the record "
            "back it is accepted",
            RING,
            CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 1),
            *(
                expect(LoadProgram("program", ProgramType.KPROBE, program(mov64_reg(R6, R1), record, end)), said)
                for record, said in ((_reserve(16, away), "EINVAL"), (_reserve(16, (_GIVE_BACK, away)), WORKS))
            ),
        ),
        since_5_10(
            "RBUF-47",
            "A program that calls a helper for ring buffers with an array gives EINVAL",
            array("map"),
            *(
                expect(
                    LoadProgram("program", ProgramType.KPROBE, program(data(), pieces, mov64_imm(R0, 0), exit_())),
                    "EINVAL",
                )
                for pieces in (put(8), ask(0), _reserve(16, _GIVE_BACK))
            ),
        ),
    )
