"""Maps of type RINGBUF, since 5.8: how they are made and mapped, what programs append, what consumers find there.

kernel/bpf/ringbuf.c; what the verifier demands of those who reserve records is in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.clauses.clause import NOTHING, WORKS, Clause, Said, Step, expect, found, records
from harness.clauses.parts import MAP, NOT_SUPPORTED
from harness.clauses.results import DATA, attached, data, keep, results_are
from harness.essentials.parts import array, prctl
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
from harness.script.expectation import Expectation
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    LoadProgram,
    LookupElement,
    MapPages,
    MapRing,
    MapRingBuffer,
    MapType,
    NextKey,
    Operation,
    ProgramType,
    ReadRingBuffer,
    Ref,
    Unmap,
    UpdateElement,
)
from harness.script.outcome import Message

PAGE = 4096
RING = CreateMap("map", MapType.RINGBUF, 0, 0, PAGE)
BUFFER = Ref("buffer")
MAPPED: tuple[Operation | Step, ...] = (RING, expect(MapRingBuffer("buffer", MAP, PAGE), 0))
RECORD = 24
"""Bytes that a record with 16 bytes of data takes."""
ROOM = (PAGE - 1) // RECORD
EAGAIN, EINVAL = -11, -22


def clauses(layout: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_before(), _creation(), _elements(), _mapping(), _output(layout), _records(layout), _verifier()))


def _clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps, since="5.10")


def _before() -> tuple[Clause, ...]:
    call_it = program(mov64_imm(R0, 0), call(Helper.RINGBUF_OUTPUT), exit_())
    load = LoadProgram("program", ProgramType.KPROBE, call_it, log_level=1)
    return (
        Clause("RBUF-01", "4.1 has no ring buffers", (expect(RING, "EINVAL"),), NOTHING, until="4.1"),
        Clause(
            "RBUF-02",
            "nor their helpers",
            (expect(load, Expectation("EINVAL", log="invalid func 130")),),
            until="4.1",
        ),
    )


def _creation() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, tuple[int, int, int, int], Said], ...] = (
        ("RBUF-03.page", "a ring buffer has a power of two of bytes, whole pages of them", (0, 0, PAGE, 0), WORKS),
        ("RBUF-03.pages", "as many as one likes", (0, 0, 16 * PAGE, 0), WORKS),
        ("RBUF-03.none", "none is not a power of two", (0, 0, 0, 0), "EINVAL"),
        ("RBUF-03.small", "less than a page is refused", (0, 0, PAGE // 2, 0), "EINVAL"),
        ("RBUF-03.odd", "three pages are", (0, 0, 3 * PAGE, 0), "EINVAL"),
        ("RBUF-04.key", "there are no keys", (4, 0, PAGE, 0), "EINVAL"),
        ("RBUF-04.value", "nor values", (0, 8, PAGE, 0), "EINVAL"),
        ("RBUF-05.prealloc", "flags of other maps are refused", (0, 0, PAGE, 1), "EINVAL"),
        ("RBUF-05.read-only", "those on access by user space too", (0, 0, PAGE, 8), "EINVAL"),
        ("RBUF-05.node", "a node may be chosen", (0, 0, PAGE, 4), WORKS),
    )
    made = (
        Clause(id, sentence, (expect(CreateMap("map", MapType.RINGBUF, *sizes), said),), NOTHING, "5.10")
        for id, sentence, sizes, said in rows
    )
    overwriting = CreateMap("map", MapType.RINGBUF, 0, 0, PAGE, 1 << 19)
    return (
        *made,
        Clause(
            "RBUF-05.overwrite",
            "before 6.19 none overwrites what nobody consumed",
            (expect(overwriting, "EINVAL"),),
            NOTHING,
            "5.10",
            "6.12",
        ),
    )


def _elements() -> tuple[Clause, ...]:
    return (
        Clause(
            "RBUF-06",
            "no element can be asked for, with the kernel's own errno",
            (
                RING,
                expect(LookupElement(MAP, None, 8), NOT_SUPPORTED),
                expect(UpdateElement(MAP, None, bytes(8)), NOT_SUPPORTED),
                expect(DeleteElement(MAP, None), NOT_SUPPORTED),
                expect(NextKey(MAP, None, 8), NOT_SUPPORTED),
            ),
            NOTHING,
            "5.10",
        ),
        Clause(
            "RBUF-07",
            "and a key is refused before that",
            (
                RING,
                expect(LookupElement(MAP, b"", 8), "EINVAL"),
                expect(UpdateElement(MAP, b"", bytes(8)), "EINVAL"),
                expect(DeleteElement(MAP, b""), "EINVAL"),
                expect(NextKey(MAP, b"", 8), "EINVAL"),
                expect(UpdateElement(MAP, None, bytes(8), 4), "EINVAL"),
            ),
            NOTHING,
            "5.10",
        ),
    )


def _mapping() -> tuple[Clause, ...]:
    def mapping(id: str, sentence: str, *steps: Operation | Step) -> Clause:
        return Clause(id, sentence, (RING, *steps), NOTHING, "5.10")

    return (
        mapping(
            "RBUF-10",
            "both positions and the data, twice in a row, can be mapped to be read",
            *(expect(MapPages(MAP, first, 4 - first), 0) for first in range(4)),
            *(expect(MapPages(MAP, first, 5 - first), "EINVAL") for first in range(5)),
        ),
        mapping(
            "RBUF-11",
            "only the consumer's page can be mapped to be written to",
            expect(MapPages(MAP, 0, 1, writable=True), 0),
            expect(MapPages(MAP, 0, 2, writable=True), "EPERM"),
            *(expect(MapPages(MAP, first, 1, writable=True), "EPERM") for first in range(1, 6)),
            expect(MapRing("ring", MAP, 1), "EPERM"),
        ),
        mapping(
            "RBUF-12",
            "a mapping keeps the buffer when its descriptor is closed",
            expect(MapRingBuffer("buffer", MAP, PAGE), 0),
            expect(Close(MAP), 0),
            expect(ReadRingBuffer(BUFFER), records(0)),
            expect(Unmap(BUFFER), 0),
        ),
        mapping(
            "RBUF-13", "more data than there is cannot be mapped", expect(MapRingBuffer("b", MAP, 2 * PAGE), "EINVAL")
        ),
    )


def _put(size: int, flags: int = 0) -> Piece:
    """bpf_ringbuf_output() of the data on the stack."""
    arguments = (mov64_reg(R2, R10), add64_imm(R2, -24), mov64_imm(R3, size), mov64_imm(R4, flags))
    return (ld_map(R1, "map"), arguments, call(Helper.RINGBUF_OUTPUT))


def _ask(what: int) -> Piece:
    return (ld_map(R1, "map"), mov64_imm(R2, what), call(Helper.RINGBUF_QUERY))


def _output(layout: PtRegs) -> tuple[Clause, ...]:
    whole, half = Message(DATA, 3), Message(DATA[:8], 3)
    return (
        _clause(
            "RBUF-20",
            "records have the length they were given, and begin at multiples of eight bytes",
            *MAPPED,
            *attached(
                layout,
                data(),
                _put(16),
                keep(0),
                _put(5),
                keep(1),
                _put(0),
                keep(2),
                _put(8),
                keep(3),
                _ask(3),
                keep(4),
            ),
            prctl(),
            *results_are(0, 0, 0, 0, 24 + 16 + 8 + 16),
            expect(ReadRingBuffer(BUFFER), found(whole, Message(DATA[:5], 3), Message(b"", 3), half)),
            expect(ReadRingBuffer(BUFFER), found()),
        ),
        _clause(
            "RBUF-21",
            "whom a record wakes is up to two flags; others are refused",
            *MAPPED,
            *attached(layout, data(), *(piece for flags in range(5) for piece in (_put(16, flags), keep(flags)))),
            prctl(),
            *results_are(0, 0, 0, 0, EINVAL),
            expect(ReadRingBuffer(BUFFER), found(whole, whole, whole, whole)),
        ),
        _clause(
            "RBUF-22",
            "what does not fit is refused; one byte at least stays free",
            *MAPPED,
            *attached(layout, data(), _put(16), keep(0), _ask(0), keep(1)),
            prctl(times=ROOM),
            *results_are(0, ROOM * RECORD),
            prctl(),
            *results_are(EAGAIN, ROOM * RECORD),
            expect(ReadRingBuffer(BUFFER), records(ROOM)),
            prctl(),
            *results_are(0, RECORD),
            expect(ReadRingBuffer(BUFFER), found(whole)),
        ),
        _clause(
            "RBUF-22.larger",
            "what never fits is refused too",
            RING,
            *attached(
                layout, _reserve(PAGE - 8, _GIVE_BACK), _reserve(PAGE - 16, _GIVE_BACK, "out2"), _ask(3), keep(0)
            ),
            prctl(),
            *results_are(PAGE - 8),
        ),
        _clause(
            "RBUF-23",
            "records go on at the beginning of the data when they reach its end",
            *MAPPED,
            *attached(layout, data(), _put(16)),
            prctl(times=ROOM),
            expect(ReadRingBuffer(BUFFER), records(ROOM)),
            prctl(times=3),
            expect(ReadRingBuffer(BUFFER), found(whole, whole, whole)),
        ),
        _clause(
            "RBUF-24",
            "a header tells on which page it lies",
            CreateMap("map", MapType.RINGBUF, 0, 0, 2 * PAGE),
            expect(MapRingBuffer("buffer", MAP, 2 * PAGE), 0),
            *attached(layout, data(), _put(16)),
            prctl(times=PAGE // RECORD + 1),
            expect(ReadRingBuffer(BUFFER), records(PAGE // RECORD + 1)),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(DATA, 4))),
        ),
        _clause(
            "RBUF-25",
            "a program may ask for what is there, for the size, and for both positions; for all else it is told 0",
            *MAPPED,
            *attached(layout, data(), _put(16), *(piece for what in range(6) for piece in (_ask(what), keep(what)))),
            prctl(),
            *results_are(RECORD, PAGE, 0, RECORD, 0, 0),
            expect(ReadRingBuffer(BUFFER), records(1)),
            prctl(),
            *results_are(RECORD, PAGE, RECORD, 2 * RECORD, 0, 0),
        ),
    )


_GIVE_BACK: tuple[Piece, ...] = (mov64_reg(R1, R8), mov64_imm(R2, 0), call(Helper.RINGBUF_SUBMIT))
_THROW_AWAY: tuple[Piece, ...] = (mov64_reg(R1, R8), mov64_imm(R2, 0), call(Helper.RINGBUF_DISCARD))


def _reserve(size: int, then: Piece, out: str = "out", flags: int = 0) -> Piece:
    """A record of `size` bytes, and `then`, with it in R8, if there was room."""
    arguments = (ld_map(R1, "map"), mov64_imm(R2, size), mov64_imm(R3, flags))
    return (arguments, call(Helper.RINGBUF_RESERVE), jeq_imm(R0, 0, out), mov64_reg(R8, R0), then, out)


def _put_record(size: int) -> Piece:
    """bpf_ringbuf_output() of the beginning of the record in R8."""
    return (ld_map(R1, "map"), mov64_reg(R2, R8), mov64_imm(R3, size), mov64_imm(R4, 0), call(Helper.RINGBUF_OUTPUT))


def _copy_data() -> Piece:
    """bpf_probe_read_kernel() of the data on the stack into the beginning of the record in R8."""
    where = (mov64_reg(R1, R8), mov64_imm(R2, 8), mov64_reg(R3, R10), add64_imm(R3, -24))
    return (where, call(Helper.PROBE_READ_KERNEL))


def _records(layout: PtRegs) -> tuple[Clause, ...]:
    one = (st(DW, R8, 0, 1), st(DW, R8, 8, 2))
    content = (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
    return (
        _clause(
            "RBUF-30",
            "a reserved record is written in place and appears when it is submitted",
            *MAPPED,
            *attached(layout, _reserve(16, (one, _GIVE_BACK))),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(content, 3))),
        ),
        _clause(
            "RBUF-31",
            "a discarded one keeps its place, with a mark",
            *MAPPED,
            *attached(layout, _reserve(16, (one, _THROW_AWAY)), data(), _put(8)),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(content, 3, discarded=True), Message(DATA[:8], 3))),
        ),
        _clause(
            "RBUF-32",
            "a record holds what lay there before it was written",
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
        _clause(
            "RBUF-33",
            "with a flag nothing is reserved",
            *MAPPED,
            *attached(layout, _reserve(16, _GIVE_BACK, flags=1), _ask(3), keep(0)),
            prctl(),
            *results_are(0),
            expect(ReadRingBuffer(BUFFER), found()),
        ),
        _clause(
            "RBUF-35",
            "records appear in the order in which they were reserved",
            *MAPPED,
            *attached(layout, data(), _reserve(16, (one, _put(8), _GIVE_BACK))),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(content, 3), Message(DATA[:8], 3))),
        ),
        _clause(
            "RBUF-36",
            "a record is memory to helpers: they read it, and write to it",
            *MAPPED,
            *attached(layout, data(), _reserve(16, (one, _put_record(8), _copy_data(), _GIVE_BACK))),
            prctl(),
            expect(ReadRingBuffer(BUFFER), found(Message(DATA[:8] + content[8:], 3), Message(content[:8], 3))),
        ),
        _clause(
            "RBUF-34",
            "a record may be empty",
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
        ("RBUF-40", "who reserves must give back", "EINVAL", (reserve, end)),
        ("RBUF-40.checked", "also after the check", "EINVAL", (_reserve(16, st(DW, R8, 0, 1)), end)),
        ("RBUF-40.once", "but not twice", "EACCES", (_reserve(16, twice), end)),
        ("RBUF-41", "nor without a check", "EACCES", (reserve, mov64_reg(R8, R0), _GIVE_BACK, end)),
        (
            "RBUF-42",
            "what was given back is out of reach",
            "EACCES",
            (_reserve(16, (_GIVE_BACK, st(DW, R8, 0, 1))), end),
        ),
        (
            "RBUF-43",
            "a record ends where its size says",
            "EACCES",
            (_reserve(16, (st(DW, R8, 16, 1), _GIVE_BACK)), end),
        ),
        ("RBUF-44", "only records are given back", "EACCES", (mov64_reg(R8, R10), _GIVE_BACK, end)),
        ("RBUF-44.context", "the context is none", "EACCES", (mov64_reg(R8, R1), _GIVE_BACK, end)),
        ("RBUF-45", "giving back returns nothing", "EACCES", (_reserve(16, (_GIVE_BACK, exit_())), end)),
        (
            "RBUF-41.written",
            "nor be written to",
            "EACCES",
            (reserve, st(DW, R0, 0, 1), mov64_reg(R8, R0), _GIVE_BACK, end),
        ),
        ("RBUF-41.copy", "a check of one copy is a check of all", WORKS, (reserve, copied, _GIVE_BACK, "out", end)),
        ("RBUF-43.helper", "for helpers too", "EACCES", (_reserve(16, (_put_record(24), _GIVE_BACK)), end)),
        (
            "RBUF-46",
            "a program of any licence may do all this",
            WORKS,
            (data(), _put(16), _reserve(16, _GIVE_BACK), end),
        ),
    )
    return (
        *(
            _clause(
                id,
                sentence,
                RING,
                expect(LoadProgram("program", ProgramType.KPROBE, program(*pieces), "Proprietary"), said),
            )
            for id, sentence, said, pieces in rows
        ),
        _clause(
            "RBUF-40.tail-call",
            "nor does another program go on with what was reserved",
            RING,
            CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 1),
            *(
                expect(LoadProgram("program", ProgramType.KPROBE, program(mov64_reg(R6, R1), record, end)), said)
                for record, said in ((_reserve(16, away), "EINVAL"), (_reserve(16, (_GIVE_BACK, away)), WORKS))
            ),
        ),
        _clause(
            "RBUF-47",
            "the helpers are for ring buffers",
            array("map"),
            *(
                expect(
                    LoadProgram("program", ProgramType.KPROBE, program(data(), pieces, mov64_imm(R0, 0), exit_())),
                    "EINVAL",
                )
                for pieces in (_put(8), _ask(0), _reserve(16, _GIVE_BACK))
            ),
        ),
    )
