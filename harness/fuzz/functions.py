# SPDX-License-Identifier: MIT
"""Functions of generated programs: numbers in, a number out; some may end before their last instruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.core_scripts.parts import array, element, u32
from harness.fuzz.draw import ARGUMENTS, MOST_FUNCTIONS, NUMBERS, PACKET, Draw
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    B,
    Function,
    H,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    call_local,
    exit_,
    jeq_imm,
    jge_imm,
    jne_imm,
    ld_abs,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    stx,
)
from harness.isa.table import OWN_CALLS
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    MapType,
    Operation,
    Program,
    ProgramType,
    Ref,
    UpdateElement,
)

SHARE, TYPED, TAIL_CALLS, EARLY = 0.3, 0.6, 0.6, 0.7
"""The share of programs with functions, where there are such; of these, those whose functions have types; of these,
those that make tail calls; and of the calls in these, those of functions that may end early."""
MOST_RUNS = 100
"""A program that tail-calls itself does nothing from this run on; kernels allow 33 tail calls."""
OWN, OTHER, EMPTY = 0, 1, 2
"""Slots of the array of programs: the program itself, one that returns `VERDICT`, and nothing."""
VERDICT = 77


@dataclass(frozen=True)
class _Early:
    """A function that may end early, with other numbers than `result`."""

    name: str
    result: int


class Functions:
    """Draws the functions of one program. `any` is whether it has any, `typed` whether the kernel is told of them,
    `tail_calls` whether they call the program itself, which then counts its runs."""

    def __init__(self, draw: Draw, work: Callable[[], Piece], constant: Callable[[int], Piece]) -> None:
        """Takes what draws one operation, and what draws a number for a register."""
        self._draw, self._random, self._around = draw, draw.random, draw.around
        self._work, self._constant = work, constant
        self._made: dict[str, Piece] = {}
        self._early: list[_Early] = []
        around, random = draw.around, draw.random
        self.any = around.has(OWN_CALLS) and random.random() < SHARE
        self.typed = self.any and around.rules.verifier.types_checked and random.random() < TYPED
        possible = around.tail_calls and around.stack and around.rules.tail_calls_of_functions
        self.tail_calls = self.typed and possible and random.random() < TAIL_CALLS

    def beginning(self) -> Piece:
        """Counts the run, and ends the program after too many."""
        if not self.tail_calls:
            return ()
        count = (ldx(DW, R1, R0, 0), jge_imm(R1, MOST_RUNS, "enough"), add64_imm(R1, 1), stx(DW, R0, 0, R1))
        return (element("runs"), count)

    def call(self) -> Piece:
        """A call of a function, which is given five numbers and returns one."""
        if self.typed and self._random.random() < EARLY and (self._around.reads_packets or self.tail_calls):
            return self._call_early()
        name = f"function_{self._random.randrange(MOST_FUNCTIONS)}"
        if name not in self._made:
            own = [self._constant(register) for register in NUMBERS if register not in ARGUMENTS]
            self._made[name] = (self._label(name), own, [self._work() for _ in range(self._random.randrange(8))])
        return (call_local(name), self._draw.renew(*ARGUMENTS))

    def _call_early(self) -> Piece:
        """A call of a function that is given the context and may end early; what it returned may decide what comes
        next."""
        if len(self._early) < 2:
            self._early.append(self._new_early(f"early_{len(self._early)}"))
        early, label = self._random.choice(self._early), self._draw.label()
        compare = self._random.choice((jeq_imm, jne_imm))(R0, early.result, label)
        decided = (compare, self._constant(self._draw.register()), label) if self._random.random() < 0.6 else ()
        return (mov64_reg(R1, R6), call_local(early.name), self._draw.renew(*ARGUMENTS), decided)

    def _new_early(self, name: str) -> _Early:
        early = _Early(name, self._random.choice((0, 1, self._draw.imm())))
        ends = [self._packet] if self._around.reads_packets else []
        if self.tail_calls:
            ends.append(self._tail_call)
        own = [self._constant(register) for register in NUMBERS]
        work = [self._work() for _ in range(self._random.randrange(4))]
        ending = self._random.choice(ends)()
        self._made[name] = (self._label(name), mov64_reg(R6, R1), ending, own, work, mov64_imm(R0, early.result))
        return early

    def _packet(self) -> Piece:
        """A load from the packet, or from behind its end."""
        return ld_abs(self._random.choice((B, H, W)), self._random.choice((0, 5, len(PACKET) - 2, len(PACKET))))

    def _tail_call(self) -> Piece:
        slot = self._random.choice((OWN, OWN, OTHER, EMPTY))
        return (mov64_reg(R1, R6), ld_map(R2, "programs"), mov64_imm(R3, slot), call(Helper.TAIL_CALL))

    def _label(self, name: str) -> Piece:
        return Function(name) if self.typed else name

    def end(self) -> Piece:
        """The functions that were called; each begins behind an exit, and the last one wants another."""
        enough = (exit_(), "enough", mov64_imm(R0, 0)) if self.tail_calls else ()
        return (enough, [(exit_(), function) for function in self._made.values()])


MAPS: tuple[Operation, ...] = (array("runs"), CreateMap("programs", MapType.PROG_ARRAY, 4, 4, EMPTY + 1))
"""Makes the maps of programs with tail calls."""


def slots_of(code: Program, kind: ProgramType) -> tuple[Operation, ...]:
    """Puts `program`, which was loaded, and another one into the array of programs, if it makes tail calls."""
    if not makes_tail_calls(code):
        return ()
    other = Program((mov64_imm(R0, VERDICT), exit_()))
    return (
        UpdateElement(Ref("programs"), u32(OWN), Ref("program")),
        LoadProgram("other", kind, other),
        UpdateElement(Ref("programs"), u32(OTHER), Ref("other")),
    )


def makes_tail_calls(code: Program) -> bool:
    """Returns whether the program counts its runs."""
    return any(name.name == "runs" for _, name in code.maps)
