# SPDX-License-Identifier: MIT
"""Parts that clauses share: a program that loads everywhere, an open event, and the expected values of counters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.core_scripts.parts import PRCTL, array, element, probed, read_u64, u64
from harness.isa.assemble import DW, R0, R1, R6, Piece, call, exit_, mov64_imm, mov64_reg, program, stx
from harness.isa.opcodes import Helper
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.expectation import Expectation
from harness.script.operations import (
    CreateKprobe,
    CreateMap,
    LoadProgram,
    OpenEvent,
    Operation,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
)
from harness.script.processes import Exit, Fork

EVENT, PROGRAM, PROBE = Ref("event"), Ref("program"), Ref("probe")
SPARE, RING, MAP = Ref("spare"), Ref("ring"), Ref("map")
NOT_SUPPORTED = "errno 524"
"""ENOTSUPP, which exists in the kernel only and has no name in user space."""
PACKET = b"0123456789abcdef"
RETURN_0 = program(mov64_imm(R0, 0), exit_())


def accepted(name: str, type: ProgramType = ProgramType.KPROBE) -> LoadProgram:
    """Loads the shortest program."""
    return LoadProgram(name, type, RETURN_0)


def filtered(*body: Piece, name: str = "filter") -> tuple[Step, Step]:
    """Loads a socket filter with this body, which may jump to "end", and expects it to let a packet through. R6 is the
    context."""
    code = program(mov64_reg(R6, R1), body, "end", mov64_imm(R0, len(PACKET)), exit_())
    return expect(LoadProgram(name, ProgramType.SOCKET_FILTER, code), WORKS), expect(
        RunSocketFilter(Ref(name), PACKET), len(PACKET)
    )


def opened(symbol: str = PRCTL) -> tuple[Operation, ...]:
    """Makes a probe and an open event on it."""
    return CreateKprobe("probe", symbol), OpenEvent("event", PROBE)


def second_event() -> OpenEvent:
    """Opens one more perf event on the same probe."""
    return OpenEvent("spare", PROBE)


def absent_in_4_1(section: str, wanted: CreateMap, helper: Helper, sentence: str, *more: Step) -> tuple[Clause, Clause]:
    """Returns the first two clauses of a section about a type of maps that came later: what 4.1 does with a map, and
    `more`, of which the sentence is, and with a program that calls the type's helper."""
    call_it = program(call(helper), exit_())
    load = LoadProgram("program", ProgramType.KPROBE, call_it, log_level=1)
    return (
        Clause(f"{section}-01", sentence, (expect(wanted, "EINVAL"), *more), NOTHING, until="4.1"),
        Clause(
            f"{section}-02",
            f"A program that calls bpf_{helper.name.lower()} gives EINVAL in 4.1, which does not have the helper",
            (expect(load, Expectation("EINVAL", log=f"invalid func {helper.value}")),),
            until="4.1",
        ),
    )


def in_child(*steps: Operation | Step) -> tuple[Operation | Step, ...]:
    """Lets a child do these steps and exit with status 0."""
    return Fork(), *steps, expect(Exit(), 0)


def seeing(code: Program, symbol: str = PRCTL, entries: int = 2) -> tuple[Operation, ...]:
    """Attaches a program on `symbol` that stores values in the map "seen"."""
    return array("seen", entries), *probed(code, symbol=symbol)


def keep(register: int, key: int = 0) -> tuple[Piece, ...]:
    """Stores a register, which is neither R0 nor R1 nor R2, into an element of "seen"."""
    return element("seen", key), stx(DW, R0, 0, register)


def holds(map_name: str, value: int, later: Mapping[str, int] = MappingProxyType({}), key: int = 0) -> Step:
    """Expects an element of eight bytes of a map to hold a number."""
    rows: dict[str, Said] = {era: u64(number) for era, number in later.items()}
    return expect(read_u64(map_name, key), u64(value), rows)


def hits_are(count: int, later: Mapping[str, int] = MappingProxyType({})) -> Step:
    """Expects the map "hits" to have counted `count` runs of a program."""
    return holds("hits", count, later)
