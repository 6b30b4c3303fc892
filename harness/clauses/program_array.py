"""Program arrays and tail calls, since 4.2: kernel/bpf/arraymap.c, core.c, verifier.c."""

from __future__ import annotations

from itertools import chain

from harness.abi.bpf import MapFlag
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import PACKET, accepted, hits_are
from harness.core_scripts.parts import array, count_hits, element, on_our_prctl, prctl, probed, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    ld_imm64,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    xadd,
)
from harness.script.clause import KPROBES, NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.needs import Need
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapType,
    OpenFile,
    Operation,
    ProgramType,
    Ref,
    RunSocketFilter,
    UpdateElement,
    UpdateFlag,
)

LATER = "5.10"
"""The first era that has program arrays."""
ARRAY = CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 4)
PROGRAMS, FILTER, OTHER = Ref("programs"), Ref("filter"), Ref("other")
MOST = 33
"""MAX_TAIL_CALL_CNT."""
EMPTY, BEYOND = 1, 4
"""Indices in whose slots is nothing: of an empty one, and behind the last one."""


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_creation(), _calls(), _types(), _verifier(), _runs(), _kprobes(registers)))


def _clause(
    id: str,
    sentence: str,
    *steps: Operation | Step,
    needs: frozenset[Need] = NOTHING,
    since: str = LATER,
    until: str | None = None,
) -> Clause:
    return Clause(id, sentence, steps, needs, since, until)


def _filter(*body: Piece, name: str = "filter") -> LoadProgram:
    """R6 is the context; `body` sets R0."""
    return LoadProgram(name, ProgramType.SOCKET_FILTER, program(mov64_reg(R6, R1), body, exit_()))


def _tail_call(index: int = 0) -> Piece:
    return (mov64_reg(R1, R6), ld_map(R2, "programs"), mov64_imm(R3, index), call(Helper.TAIL_CALL))


def _returns(length: int) -> Piece:
    """So many bytes of the packet arrive."""
    return (mov64_imm(R0, length),)


def _put(program: Ref | bytes, said: Said = 0, *, index: int = 0, flags: int = UpdateFlag.ANY) -> Step:
    return expect(UpdateElement(PROGRAMS, u32(index), program, flags), said)


def _arrives(length: int) -> Step:
    return expect(RunSocketFilter(FILTER, PACKET), length)


def _creation() -> tuple[Clause, ...]:
    refused = (
        ("value", "with values of 8 bytes, not 4,", (4, 8, 4, 0)),
        ("key", "with keys of 8 bytes, not 4,", (8, 4, 4, 0)),
        ("entries", "of 0 slots", (4, 4, 0, 0)),
        ("prealloc", "with BPF_F_NO_PREALLOC", (4, 4, 4, MapFlag.NO_PREALLOC)),
        ("rdonly", "with BPF_F_RDONLY_PROG", (4, 4, 4, MapFlag.RDONLY_PROG)),
    )
    return (
        _clause(
            "TAIL-01",
            "A PROG_ARRAY can be made; 4.1 does not have the type and gives EINVAL",
            expect(ARRAY, "EINVAL", {LATER: WORKS}),
            since="4.1",
        ),
        *(
            _clause(
                f"TAIL-02.{name}",
                f"A PROG_ARRAY {what} gives EINVAL",
                expect(CreateMap("programs", MapType.PROG_ARRAY, key, value, entries, flags), "EINVAL"),
                since="4.1",
            )
            for name, what, (key, value, entries, flags) in refused
        ),
    )


def _calls() -> tuple[Clause, ...]:
    filter = accepted("filter", ProgramType.SOCKET_FILTER)
    return (
        _clause(
            "TAIL-10",
            "BPF_MAP_UPDATE_ELEM puts a program into a slot of a PROG_ARRAY by its descriptor",
            ARRAY,
            filter,
            _put(FILTER),
        ),
        _clause(
            "TAIL-11.closed",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with a descriptor that is not open gives EBADF",
            ARRAY,
            _put(u32(1000), "EBADF"),
        ),
        _clause(
            "TAIL-11.a-map",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with the descriptor of a map gives EINVAL",
            ARRAY,
            _put(PROGRAMS, "EINVAL"),
        ),
        _clause(
            "TAIL-11.a-file",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with the descriptor of a file gives EINVAL",
            ARRAY,
            OpenFile("other"),
            _put(OTHER, "EINVAL"),
        ),
        _clause(
            "TAIL-12.index",
            "BPF_MAP_UPDATE_ELEM behind the last slot of a PROG_ARRAY gives E2BIG",
            ARRAY,
            filter,
            _put(FILTER, "E2BIG", index=4),
        ),
        *(
            _clause(
                f"TAIL-12.flags-{flags}",
                f"BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with flags {flags:#x} gives EINVAL, also if index and "
                "descriptor are wrong",
                ARRAY,
                _put(u32(1000), "EINVAL", index=4, flags=flags),
            )
            for flags in (UpdateFlag.NOEXIST, UpdateFlag.EXIST, 8)
        ),
        _clause(
            "TAIL-12.descriptor",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY looks at the index before the descriptor: it gives E2BIG if "
            "both are wrong",
            ARRAY,
            _put(u32(1000), "E2BIG", index=4),
        ),
        _clause(
            "TAIL-13",
            "BPF_MAP_LOOKUP_ELEM of a slot returns the id of its program, and gives ENOENT where there is none",
            ARRAY,
            filter,
            expect(LookupElement(PROGRAMS, u32(0), 4), "ENOENT"),
            expect(LookupElement(PROGRAMS, u32(4), 4), "ENOENT"),
            _put(FILTER),
            expect(LookupElement(PROGRAMS, u32(0), 4), WORKS),
        ),
        _clause(
            "TAIL-14",
            "BPF_MAP_DELETE_ELEM empties a slot once, then gives ENOENT; behind the last slot it gives E2BIG",
            ARRAY,
            filter,
            _put(FILTER),
            expect(DeleteElement(PROGRAMS, u32(0)), 0),
            expect(DeleteElement(PROGRAMS, u32(0)), "ENOENT"),
            expect(DeleteElement(PROGRAMS, u32(4)), "E2BIG"),
        ),
        _clause(
            "TAIL-15",
            "BPF_MAP_GET_NEXT_KEY on a PROG_ARRAY tells all indices, whatever is in the slots",
            ARRAY,
            expect(GetNextKey(PROGRAMS, None, 4), u32(0)),
            expect(GetNextKey(PROGRAMS, u32(2), 4), u32(3)),
            expect(GetNextKey(PROGRAMS, u32(3), 4), "ENOENT"),
        ),
    )


def _types() -> tuple[Clause, ...]:
    filter, probe = accepted("filter", ProgramType.SOCKET_FILTER), accepted("probe")
    user = LoadProgram("user", ProgramType.KPROBE, program(mov64_reg(R6, R1), _tail_call(), _returns(0), exit_()))
    broken = LoadProgram("user", ProgramType.KPROBE, program(mov64_reg(R6, R1), _tail_call(), exit_()))
    return (
        _clause(
            "TAIL-20.stored",
            "The first program in a PROG_ARRAY decides which type all others must have (EINVAL), also after it is gone",
            *(ARRAY, filter, probe, _put(FILTER)),
            _put(Ref("probe"), "EINVAL"),
            expect(DeleteElement(PROGRAMS, u32(0)), 0),
            _put(Ref("probe"), "EINVAL"),
            expect(user, "EINVAL"),
            needs=KPROBES,
        ),
        _clause(
            "TAIL-20.loaded",
            "A program that is loaded with a PROG_ARRAY decides which type the programs in it must have (EINVAL)",
            *(ARRAY, filter, probe),
            expect(user, WORKS),
            _put(FILTER, "EINVAL"),
            _put(Ref("probe")),
            needs=KPROBES,
        ),
        _clause(
            "TAIL-21.refused",
            "A program that the verifier refuses does not decide which type a PROG_ARRAY's programs must have",
            *(ARRAY, filter),
            expect(broken, "EACCES"),
            _put(FILTER),
            needs=KPROBES,
        ),
        _clause(
            "TAIL-21.not-stored",
            "A program whose index is refused does not decide which type a PROG_ARRAY's programs must have",
            *(ARRAY, filter, probe),
            _put(Ref("probe"), "E2BIG", index=4),
            _put(FILTER),
            needs=KPROBES,
        ),
    )


def _verifier() -> tuple[Clause, ...]:
    key = (st(W, R10, -4, 0), mov64_reg(R2, R10), add64_imm(R2, -4))
    value = (mov64_reg(R3, R2), mov64_imm(R4, 0))
    refused: tuple[tuple[str, str, str, Piece], ...] = (
        (
            "30.lookup",
            "A program that calls bpf_map_lookup_elem on a PROG_ARRAY gives EINVAL",
            "EINVAL",
            (key, ld_map(R1, "programs"), call(1)),
        ),
        (
            "30.update",
            "A program that calls bpf_map_update_elem on a PROG_ARRAY gives EINVAL",
            "EINVAL",
            (key, value, ld_map(R1, "programs"), call(2)),
        ),
        (
            "30.delete",
            "A program that calls bpf_map_delete_elem on a PROG_ARRAY gives EINVAL",
            "EINVAL",
            (key, ld_map(R1, "programs"), call(3)),
        ),
        (
            "31.map",
            "A program whose tail call takes a map of another type gives EINVAL",
            "EINVAL",
            (mov64_reg(R1, R6), ld_map(R2, "hits"), mov64_imm(R3, 0), call(Helper.TAIL_CALL)),
        ),
        (
            "31.context",
            "A program whose tail call does not hand on the context gives EACCES",
            "EACCES",
            (mov64_reg(R1, R10), ld_map(R2, "programs"), mov64_imm(R3, 0), call(Helper.TAIL_CALL)),
        ),
        (
            "31.index",
            "A program whose tail call has no index in R3 gives EACCES",
            "EACCES",
            (mov64_reg(R1, R6), ld_map(R2, "programs"), call(12)),
        ),
    )
    return (
        *(
            _clause(f"TAIL-{id}", sentence, ARRAY, array("hits"), expect(_filter(body, _returns(0)), errno))
            for id, sentence, errno, body in refused
        ),
        _clause(
            "TAIL-32",
            "A program that uses R0 after its tail call, which leaves nothing there, gives EACCES",
            ARRAY,
            expect(_filter(_tail_call()), "EACCES"),
        ),
        _clause(
            "TAIL-33",
            "A program that calls bpf_tail_call gives EINVAL in 4.1, which does not have the helper",
            expect(_filter(mov64_imm(R2, 0), mov64_imm(R3, 0), call(Helper.TAIL_CALL), _returns(0)), "EINVAL"),
            since="4.1",
            until="4.1",
        ),
    )


def _runs() -> tuple[Clause, ...]:
    other = _filter(_returns(5), name="other")
    calls = _filter(_tail_call(), _returns(9))
    return (
        _clause(
            "TAIL-40",
            "A tail call goes on in the other program, whose result is that of the run",
            ARRAY,
            other,
            calls,
            _put(OTHER),
            _arrives(5),
        ),
        _clause(
            "TAIL-41.empty",
            "A tail call into an empty slot does nothing, and the program goes on behind it",
            ARRAY,
            calls,
            _arrives(9),
        ),
        _clause(
            "TAIL-41.beyond",
            "A tail call behind the last slot does nothing, and the program goes on behind it",
            *(ARRAY, other, _filter(_tail_call(BEYOND), _returns(9)), _put(OTHER)),
            _arrives(9),
        ),
        _clause(
            "TAIL-42",
            "A tail call takes the low 32 bits of R3 as index",
            *(ARRAY, other),
            _filter(
                *(mov64_reg(R1, R6), ld_map(R2, "programs"), ld_imm64(R3, 1 << 32), call(Helper.TAIL_CALL), _returns(9))
            ),
            _put(OTHER),
            _arrives(5),
        ),
        _clause(
            "TAIL-43",
            "A tail call goes to the program that is in the slot when the call is made",
            *(ARRAY, other, _filter(_returns(7), name="third"), calls, _arrives(9)),
            *(_put(OTHER), _arrives(5), _put(Ref("third")), _arrives(7)),
            *(expect(DeleteElement(PROGRAMS, u32(0)), 0), _arrives(9)),
        ),
        _clause(
            "TAIL-44",
            "A slot of a PROG_ARRAY keeps its program when the program's descriptor is closed",
            ARRAY,
            other,
            calls,
            _put(OTHER),
            Close(OTHER),
            _arrives(5),
        ),
        _clause(
            "TAIL-45",
            "A tail call that does nothing keeps the registers from R6 on",
            *(ARRAY, _filter(mov64_imm(R7, 6), _tail_call(), mov64_reg(R0, R7))),
            _arrives(6),
        ),
        _clause(
            "TAIL-46",
            f"A run makes {MOST} tail calls; the next one does nothing, and the program goes on behind it",
            *(ARRAY, array("hits"), _filter(count_hits(), _tail_call(), _returns(9))),
            *(_put(FILTER), _arrives(9), hits_are(1 + MOST)),
        ),
        _clause(
            "TAIL-46.beyond",
            "Tail calls behind the last slot do not count against the limit of 33",
            *(ARRAY, array("hits"), _filter(count_hits(), _tail_call(BEYOND), _tail_call(), _returns(9))),
            *(_put(FILTER), _arrives(9), hits_are(1 + MOST)),
        ),
        *(
            _clause(
                f"TAIL-47.{engine}",
                f"Tail calls into empty slots count against the limit of {MOST} in the {where} before {since}",
                *(ARRAY, array("hits"), _filter(count_hits(), _tail_call(EMPTY), _tail_call(), _returns(9))),
                *(_put(FILTER), _arrives(9), hits_are(1 + MOST // 2, {since: 1 + MOST})),
                needs=frozenset({need}),
            )
            for engine, where, need, since in (
                ("interp", "interpreter", Need.INTERPRETER, "7.2"),
                ("jit", "JIT", Need.JIT, "6.12"),
            )
        ),
    )


def _kprobes(registers: PtRegs) -> tuple[Clause, ...]:
    argument = ldx(DW, R7, R6, registers.argument(1))
    callee = program(mov64_reg(R6, R1), argument, element("hits"), xadd(DW, R0, 0, R7), mov64_imm(R0, 0), exit_())
    caller = on_our_prctl(registers, _tail_call(), _returns(1))
    return (
        _clause(
            "TAIL-50",
            "A program on a probe goes on with another one by a tail call, which sees the same context",
            *(ARRAY, array("hits"), *probed(caller), LoadProgram("other", ProgramType.KPROBE, callee)),
            *(_put(OTHER), prctl(7, times=3), hits_are(21)),
            needs=KPROBES,
        ),
    )
