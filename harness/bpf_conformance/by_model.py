# SPDX-License-Identifier: MIT
"""The plugin served by the model: any program the era has opcodes for, whether or not its verifier would accept it."""

from __future__ import annotations

from harness.bpf_conformance.request import ProgramFailed, Request
from harness.model.environment import Environment
from harness.model.interpreter import Returned
from harness.model.verifier.later.fields import jumps, oddity
from harness.model.verifier.later.opcode_lowering import translate
from harness.programs.running import on_memory
from harness.programs.structure import check
from hil.errors import UserError


def execute(environment: Environment, request: Request) -> int:
    """Returns R0; raises ProgramFailed when the program is malformed or does not return a number."""
    code, release = request.program.instructions, environment.rules.release
    try:
        check(request.program, release)
    except UserError as error:
        raise ProgramFailed(str(error)) from None
    if odd := oddity(code, release, tuple(jumps(translate(code, release).program))):
        raise ProgramFailed(odd)
    ended = on_memory(environment, request.program, request.memory).ended
    if not isinstance(ended, Returned):
        raise ProgramFailed(f"{ended.stop.value}: {ended.why}, at instruction {ended.pc}")
    if not isinstance(ended.value, int):
        raise ProgramFailed(f"R0 is {ended.value.partial().why}, which the model cannot know")
    return ended.value
