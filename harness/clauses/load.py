"""BPF_PROG_LOAD: licence, length, type, version, and the verifier's log."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import RETURN_0
from harness.essentials.parts import array
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R10,
    Helper,
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
from harness.script.clause import KPROBES, NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.expectation import Expectation
from harness.script.needs import Need
from harness.script.operations import LoadProgram, Operation, Program, ProgramType

FILTER, KPROBE = ProgramType.SOCKET_FILTER, ProgramType.KPROBE
EMPTY = Program(())
READS_MEMORY = program(
    st(DW, R10, -8, 0),
    mov64_reg(R1, R10),
    add64_imm(R1, -8),
    mov64_imm(R2, 8),
    mov64_imm(R3, 0),
    call(Helper.PROBE_READ),
    mov64_imm(R0, 0),
    exit_(),
)
REFUSED = program(mov64_reg(R0, R2), exit_())
ACCEPTED: dict[str, Said] = {"5.10": WORKS}


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (*_licences(), *_lengths(), *_types(), *_logs(), *_limits())


def _clause(id: str, sentence: str, *steps: Operation | Step, needs: frozenset[Need] = NOTHING, **era: str) -> Clause:
    return Clause(id, sentence, steps, needs, **era)


def _licences() -> tuple[Clause, ...]:
    good = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
    bad = ("", "gpl", "GPL ", "GPLv2", "Proprietary", "GPL" * 50)
    return (
        *(
            _clause(
                f"LOAD-03.{number}",
                f"{name!r} is GPL-compatible",
                expect(LoadProgram("program", KPROBE, READS_MEMORY, name), WORKS),
                needs=KPROBES,
            )
            for number, name in enumerate(good, 1)
        ),
        *(
            _clause(
                f"LOAD-04.{number}",
                f"{name[:12]!r} is not",
                expect(LoadProgram("program", KPROBE, READS_MEMORY, name), "EINVAL"),
                needs=KPROBES,
            )
            for number, name in enumerate(bad, 1)
        ),
        _clause(
            "LOAD-05",
            "a program under any licence loads if it calls nothing that is for the GPL only",
            expect(LoadProgram("program", FILTER, RETURN_0, "Proprietary"), WORKS),
        ),
    )


def _lengths() -> tuple[Clause, ...]:
    return (
        _clause("LOAD-06", "4095 instructions", expect(LoadProgram("program", FILTER, _long(4095)), WORKS)),
        _clause(
            "LOAD-07",
            "4096 are too many for 4.1; later only for callers without privileges",
            expect(LoadProgram("program", FILTER, _long(4096)), "EINVAL", ACCEPTED),
        ),
        _clause("LOAD-08", "no instructions", expect(LoadProgram("program", FILTER, EMPTY), "E2BIG")),
        _clause(
            "LOAD-08.unknown",
            "no instructions of an unknown type",
            expect(LoadProgram("program", 4096, EMPTY), "EINVAL", {"5.10": "E2BIG"}),
        ),
        _clause(
            "LOAD-16",
            "the same program loads twice",
            expect(LoadProgram("program", FILTER, RETURN_0), WORKS),
            expect(LoadProgram("other", FILTER, RETURN_0), WORKS),
        ),
    )


def _types() -> tuple[Clause, ...]:
    return (
        *(
            _clause(
                f"LOAD-12.{type}",
                "a program type that is not there",
                expect(LoadProgram("program", type, RETURN_0), "EINVAL"),
            )
            for type in (0, 4096)
        ),
        *(
            _clause(
                f"LOAD-12.{type.name.lower()}",
                "a type of later kernels",
                expect(LoadProgram("program", type, RETURN_0), "EINVAL"),
                until="4.1",
            )
            for type in (ProgramType.TRACEPOINT, ProgramType.PERF_EVENT)
        ),
        *(
            _clause(
                f"LOAD-10.{type.name.lower()}",
                "the kernel's version is for kprobes only",
                expect(LoadProgram("program", type, RETURN_0, kern_version=0), WORKS),
            )
            for type in (FILTER, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT)
        ),
        *(
            _clause(
                f"LOAD-09.{version:#x}",
                "a program on a kprobe names the kernel's version, until 5.0",
                expect(LoadProgram("program", KPROBE, RETURN_0, kern_version=version), "EINVAL", ACCEPTED),
                needs=KPROBES,
            )
            for version in (0, 0x040100, 0xFFFFFFFF)
        ),
        _clause(
            "LOAD-09.first",
            "which is looked at before the program",
            expect(LoadProgram("program", KPROBE, EMPTY, kern_version=0), "EINVAL", {"5.10": "E2BIG"}),
            needs=KPROBES,
        ),
        _clause(
            "LOAD-11",
            "LINUX_VERSION_CODE is what it must name",
            expect(LoadProgram("program", KPROBE, RETURN_0), WORKS),
            needs=KPROBES,
        ),
    )


def _logs() -> tuple[Clause, ...]:
    def load(code: Program, level: int = 1, size: int = 65536) -> LoadProgram:
        return LoadProgram("program", FILTER, code, log_level=level, log_size=size)

    text = "0: (b7) r0 = 0\n1: (95) exit\n"
    return (
        *(
            _clause(
                f"LOG-03.{level:#x}",
                "any level writes the same log; later ones have meanings",
                expect(load(RETURN_0, level), Expectation(log=text)),
                until="4.1",
            )
            for level in (1, 2, 3, 0xFFFFFFFF)
        ),
        *(
            _clause(
                f"LOG-03.later-{level}", "levels with a meaning", expect(load(RETURN_0, level), WORKS), since="5.10"
            )
            for level in (1, 2, 4, 7)
        ),
        _clause("LOG-03.later-16", "a level without meaning", expect(load(RETURN_0, 16), "EINVAL"), since="5.10"),
        *(
            _clause(
                f"LOG-02.size-{size}",
                "a log has 128 bytes or more",
                expect(load(RETURN_0, size=size), said),
                until="6.1",
            )
            for size, said in ((127, "EINVAL"), (128, WORKS))
        ),
        _clause(
            "LOG-04",
            "a log that does not fit fails the load",
            expect(load(_long(100), size=256), "ENOSPC"),
            until="4.1",
        ),
        _clause(
            "LOG-06",
            "and hides why a program is refused",
            expect(load(program([mov64_imm(R0, 0)] * 100, mov64_reg(R0, R2), exit_()), size=256), "ENOSPC"),
            until="4.1",
        ),
        _clause(
            "LOG-08",
            "a refused program's log says why",
            expect(load(REFUSED), Expectation("EACCES", log="R2 !read_ok")),
        ),
        _clause(
            "LOGT-02",
            "a comparison whose both sides are followed shows the state",
            expect(
                load(program(mov64_imm(R2, 5), mov64_imm(R0, 0), jeq_imm(R2, 1, 0), exit_())), Expectation(log="R1=ctx")
            ),
            until="4.1",
        ),
    )


def _limits() -> tuple[Clause, ...]:
    return (
        _clause(
            "LIM-03",
            "a program uses 64 maps at most",
            *(array(f"map {number}") for number in range(65)),
            expect(LoadProgram("most", FILTER, _maps(64)), WORKS),
            expect(LoadProgram("program", FILTER, _maps(65)), "E2BIG"),
        ),
        _clause(
            "LIM-02",
            "1024 branches may wait; later 8192",
            expect(LoadProgram("program", KPROBE, _branches(1025)), "EFAULT", ACCEPTED),
            needs=KPROBES,
        ),
        _clause(
            "LIM-02.most",
            "1024 of them may",
            expect(LoadProgram("program", KPROBE, _branches(1000)), WORKS),
            needs=KPROBES,
        ),
        _clause(
            "LIM-01",
            "32768 instructions may be simulated; later a million",
            expect(LoadProgram("program", KPROBE, _paths()), "E2BIG", ACCEPTED),
            needs=KPROBES,
        ),
    )


def _long(count: int) -> Program:
    """A program of `count` instructions."""
    return program([mov64_imm(R0, 0)] * (count - 1), exit_())


def _maps(count: int) -> Program:
    return program([ld_map(R1, f"map {number}") for number in range(count)], mov64_imm(R0, 0), exit_())


def _branches(count: int) -> Program:
    """`count` branches of which none is followed before the last one was met."""
    return program(
        ldx(DW, R2, R1, 0), mov64_imm(R0, 0), [jeq_imm(R2, number, "out") for number in range(count)], "out", exit_()
    )


def _paths() -> Program:
    """Eight slots of the stack were written or not, so that no path covers another: 256 times 200 instructions."""
    forks = [(jeq_imm(R2, number, 1), st(DW, R10, -8 * (number + 1), 0)) for number in range(8)]
    return program(ldx(DW, R2, R1, 0), forks, [mov64_imm(R0, 0)] * 200, exit_())
