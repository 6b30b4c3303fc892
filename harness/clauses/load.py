# SPDX-License-Identifier: MIT
"""BPF_PROG_LOAD: licence, length, type, version, and the verifier's log."""

from __future__ import annotations

from typing import Any

from harness.abi.bpf import Command
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import RETURN_0
from harness.core_scripts.parts import array
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
from harness.script.operations import (
    LoadProgram,
    Operation,
    Program,
    ProgramType,
    RawBpf,
    ReadRuns,
    Ref,
    RunSocketFilter,
)

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
    return (*_licences(), *_lengths(), *_types(), *_runs(), *_logs(), *_limits())


def _clause(id: str, sentence: str, *steps: Operation | Step, needs: frozenset[Need] = NOTHING, **era: Any) -> Clause:
    return Clause(id, sentence, steps, needs, **era)


def _licences() -> tuple[Clause, ...]:
    good = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
    bad = {name: f"'{name}'" for name in ("", "gpl", "GPL ", "GPLv2", "Proprietary")} | {
        "GPL" * 50: "'GPL' 50 times over"
    }
    return (
        *(
            _clause(
                f"LOAD-03.{number}",
                f"A program under licence {name!r} may call helpers that are for GPL programs only",
                expect(LoadProgram("program", KPROBE, READS_MEMORY, name), WORKS),
                needs=KPROBES,
            )
            for number, name in enumerate(good, 1)
        ),
        *(
            _clause(
                f"LOAD-04.{number}",
                f"A program under licence {shown} that calls a helper for GPL programs only gives EINVAL",
                expect(LoadProgram("program", KPROBE, READS_MEMORY, name), "EINVAL"),
                needs=KPROBES,
            )
            for number, (name, shown) in enumerate(bad.items(), 1)
        ),
        _clause(
            "LOAD-05",
            "A program under any licence is loaded if it calls no helper that is for GPL programs only",
            expect(LoadProgram("program", FILTER, RETURN_0, "Proprietary"), WORKS),
        ),
    )


def _lengths() -> tuple[Clause, ...]:
    return (
        _clause(
            "LOAD-06",
            "A program may have 4095 instructions",
            expect(LoadProgram("program", FILTER, _long(4095)), WORKS),
        ),
        _clause(
            "LOAD-07",
            "A program of 4096 instructions gives EINVAL in 4.1; later kernels load it for callers with CAP_BPF",
            expect(LoadProgram("program", FILTER, _long(4096)), "EINVAL", ACCEPTED),
        ),
        _clause(
            "LOAD-08",
            "A program without instructions gives E2BIG",
            expect(LoadProgram("program", FILTER, EMPTY), "E2BIG"),
        ),
        _clause(
            "LOAD-08.unknown",
            "A program without instructions and of an unknown type gives EINVAL in 4.1, which looks at the "
            "type first, and E2BIG in later kernels",
            expect(LoadProgram("program", 4096, EMPTY), "EINVAL", {"5.10": "E2BIG"}),
        ),
        _clause(
            "LOAD-16",
            "The same program can be loaded twice",
            expect(LoadProgram("program", FILTER, RETURN_0), WORKS),
            expect(LoadProgram("other", FILTER, RETURN_0), WORKS),
        ),
    )


def _runs() -> tuple[Clause, ...]:
    loaded, runs = expect(LoadProgram("program", FILTER, RETURN_0), WORKS), ReadRuns(Ref("program"))
    ran = expect(RunSocketFilter(Ref("program"), bytes(4)), 0)
    return (
        _clause(
            "INFO-01",
            "The kernel counts no runs of a program unless somebody asks for it; 4.1 has no information of programs",
            loaded,
            ran,
            expect(runs, "EINVAL", {"5.10": 0}),
        ),
        _clause(
            "INFO-02",
            "The kernel counts runs of a program while a descriptor of BPF_ENABLE_STATS is open",
            loaded,
            expect(RawBpf(Command.ENABLE_STATS, name="statistics"), WORKS),
            ran,
            ran,
            expect(runs, 2),
            since="5.10",
        ),
        _clause(
            "INFO-03",
            "The information of a program that is not open gives EBADFD; 4.1 has no information of programs",
            expect(ReadRuns(-1), "EINVAL", {"5.10": "EBADFD"}),
        ),
    )


def _types() -> tuple[Clause, ...]:
    return (
        *(
            _clause(
                f"LOAD-12.{type}",
                f"A program of type {type}, which no kernel has, gives EINVAL",
                expect(LoadProgram("program", type, RETURN_0), "EINVAL"),
            )
            for type in (0, 4096)
        ),
        *(
            _clause(
                f"LOAD-12.{type.name.lower()}",
                f"A program of type {type.name} gives EINVAL in 4.1, which does not have the type",
                expect(LoadProgram("program", type, RETURN_0), "EINVAL"),
                until="4.1",
            )
            for type in (ProgramType.TRACEPOINT, ProgramType.PERF_EVENT)
        ),
        *(
            _clause(
                f"LOAD-10.{type.name.lower()}",
                f"A program of type {type.name} is loaded with kern_version 0",
                expect(LoadProgram("program", type, RETURN_0, kern_version=0), WORKS),
            )
            for type in (FILTER, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT)
        ),
        *(
            _clause(
                f"LOAD-09.{version:#x}",
                f"A program on a kprobe with kern_version {version:#x}, not the kernel's, gives EINVAL in 4.1; "
                "since 5.0 it is "
                "ignored",
                expect(LoadProgram("program", KPROBE, RETURN_0, kern_version=version), "EINVAL", ACCEPTED),
                needs=KPROBES,
            )
            for version in (0, 0x040100, 0xFFFFFFFF)
        ),
        _clause(
            "LOAD-09.first",
            "A program of type KPROBE without instructions and with kern_version 0 gives EINVAL in 4.1, which looks at "
            "the version first, and E2BIG in later kernels",
            expect(LoadProgram("program", KPROBE, EMPTY, kern_version=0), "EINVAL", {"5.10": "E2BIG"}),
            needs=KPROBES,
        ),
        _clause(
            "LOAD-11",
            "A program on a kprobe is loaded if its kern_version is LINUX_VERSION_CODE",
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
                f"A log of level {level:#x} has the instructions in 4.1, where every level writes the same",
                expect(load(RETURN_0, level), Expectation(log=text)),
                until="4.1",
            )
            for level in (1, 2, 3, 0xFFFFFFFF)
        ),
        *(
            _clause(
                f"LOG-03.later-{level}",
                f"A log of level {level}, which has a meaning since 5.2, is accepted",
                expect(load(RETURN_0, level), WORKS),
                since="5.10",
            )
            for level in (1, 2, 4, 7)
        ),
        _clause(
            "LOG-03.later-16",
            "A log of level 16, which has no meaning, gives EINVAL",
            expect(load(RETURN_0, 16), "EINVAL"),
            since="5.10",
        ),
        *(
            _clause(
                f"LOG-02.size-{size}",
                f"A log of {size} bytes {'gives EINVAL' if said == 'EINVAL' else 'is long enough'} up to 6.1; later "
                "kernels accept any length",
                expect(load(RETURN_0, size=size), said),
                until="6.1",
            )
            for size, said in ((127, "EINVAL"), (128, WORKS))
        ),
        _clause(
            "LOG-04",
            "A log that does not fit into its buffer makes 4.1 give ENOSPC, although the program is accepted",
            expect(load(_long(100), size=256), "ENOSPC"),
            until="4.1",
        ),
        _clause(
            "LOG-06",
            "A log that does not fit into its buffer makes 4.1 give ENOSPC, also for a program that is "
            "refused for another reason",
            expect(load(program([mov64_imm(R0, 0)] * 100, mov64_reg(R0, R2), exit_()), size=256), "ENOSPC"),
            until="4.1",
        ),
        _clause(
            "LOG-08",
            "The log of a program that is refused ends with the reason",
            expect(load(REFUSED), Expectation("EACCES", log="R2 !read_ok")),
        ),
        _clause(
            "LOGT-02",
            "The log of 4.1 shows the state of the registers where it follows both sides of a comparison",
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
            "A program may use 64 maps; with 65 it gives E2BIG",
            *(array(f"map {number}") for number in range(65)),
            expect(LoadProgram("most", FILTER, _maps(64)), WORKS),
            expect(LoadProgram("program", FILTER, _maps(65)), "E2BIG"),
        ),
        _clause(
            "LIM-02",
            "A program with 1025 branches that wait to be followed gives EFAULT in 4.1, which has room for "
            "1024; later kernels have room for 8192",
            expect(LoadProgram("program", KPROBE, _branches(1025)), "EFAULT", ACCEPTED),
            needs=KPROBES,
        ),
        _clause(
            "LIM-02.most",
            "A program with 1000 branches that wait to be followed is accepted",
            expect(LoadProgram("program", KPROBE, _branches(1000)), WORKS),
            needs=KPROBES,
        ),
        _clause(
            "LIM-01",
            "A program on whose paths lie more than 32768 instructions gives E2BIG in 4.1; later kernels "
            "follow a million",
            expect(LoadProgram("program", KPROBE, _paths()), "E2BIG", ACCEPTED),
            needs=KPROBES,
        ),
    )


def _long(count: int) -> Program:
    """Returns a program of `count` instructions."""
    return program([mov64_imm(R0, 0)] * (count - 1), exit_())


def _maps(count: int) -> Program:
    return program([ld_map(R1, f"map {number}") for number in range(count)], mov64_imm(R0, 0), exit_())


def _branches(count: int) -> Program:
    """Returns a program of `count` branches of which none is followed before the last one is reached."""
    return program(
        ldx(DW, R2, R1, 0), mov64_imm(R0, 0), [jeq_imm(R2, number, "out") for number in range(count)], "out", exit_()
    )


def _paths() -> Program:
    """Returns a program in which eight slots of the stack are written or not, so that no path covers another: 256 times
    200 instructions."""
    forks = [(jeq_imm(R2, number, 1), st(DW, R10, -8 * (number + 1), 0)) for number in range(8)]
    return program(ldx(DW, R2, R1, 0), forks, [mov64_imm(R0, 0)] * 200, exit_())
