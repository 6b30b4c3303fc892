# SPDX-License-Identifier: MIT
"""Running a program in the model by itself: no verifier before it, no kprobe around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model.environment import Environment
from harness.model.helpers import Helpers
from harness.model.interpreter import Ended, Interpreter, Sink
from harness.model.maps import Map
from harness.model.memory import Region
from harness.model.state import State
from harness.model.value import M64, Pointer, partial_of
from harness.programs.maps import create
from harness.programs.structure import check
from harness.script.operations import CreateMap, Program
from harness.script.outcome import KERNEL_ADDRESS
from hil.errors import UserError


@dataclass(frozen=True)
class Ran:
    """How a run ended, and the maps after it."""

    ended: Ended
    maps: Mapping[str, Map]


def on_memory(
    environment: Environment, program: Program, memory: bytes, maps: Sequence[CreateMap] = (), sink: Sink | None = None
) -> Ran:
    """Runs with the address of a copy of `memory` in R1, its length in bytes in R2; both are 0 when there is none."""
    region = Region("the memory", len(memory), memory)
    return _run(environment, program, maps, sink, Pointer(region) if memory else 0, len(memory))


def on_context(
    environment: Environment,
    program: Program,
    arguments: Mapping[int, int],
    maps: Sequence[CreateMap] = (),
    sink: Sink | None = None,
) -> Ran:
    """Runs with the address of a `struct pt_regs` at entry of a function with these arguments, counted from 1, in
    R1."""
    layout = environment.registers
    region = Region("the context", layout.size, garbage="a register the calling convention leaves open")
    region.store(layout.offsets[layout.ip], 8, partial_of(KERNEL_ADDRESS))
    region.store(layout.offsets[layout.sp], 8, partial_of(KERNEL_ADDRESS))
    for number, value in arguments.items():
        if not 1 <= number <= len(layout.arguments):
            raise UserError(
                f"argument {number}: {environment.arch} passes arguments 1 to {len(layout.arguments)} in registers"
            )
        region.store(layout.argument(number - 1), 8, value & M64)
    region.writable = False
    return _run(environment, program, maps, sink, Pointer(region), None)


def _run(
    environment: Environment,
    program: Program,
    maps: Sequence[CreateMap],
    sink: Sink | None,
    first: Pointer | int,
    second: int | None,
) -> Ran:
    check(program, environment.rules.release)
    made = {map.name: create(environment, map) for map in maps}
    by_index = {index: made[reference.name] for index, reference in program.maps}
    state = State(program.instructions, by_index, first, Helpers(environment))
    if second is not None:
        state.registers[2] = second
    interpreter = Interpreter(environment.rules)
    return Ran(interpreter.run(interpreter.compile(program.instructions), state, sink), made)
