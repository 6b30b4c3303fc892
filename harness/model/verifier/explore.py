# SPDX-License-Identifier: MIT
"""Third pass: every path is simulated, a branch at a time, until it ends or reaches a state seen before.

Source: do_check(), is_state_visited(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from harness.model.verifier.environment import Environment
from harness.model.verifier.jumps import END_OF_PATH
from harness.model.verifier.log import Writer
from harness.model.verifier.print_insn import print_insn
from harness.model.verifier.rules import Rule
from harness.model.verifier.verdict import Refused


def explore(env: Environment) -> None:
    """Simulates from the first instruction, with the context in R1 and the stack in R10. Falling through comes before
    branching, and of the pending branches the last one comes first. All paths together may simulate a limited number of
    instructions (the message has the kernel's spelling).
    """
    index = 0
    came_from: int | None = None
    program, explored, log, observer = env.program, env.explored, env.log, env.observer
    checks = [env.hooks.checks[insn.opcode_class] for insn in program]
    most = env.context.limits.simulated
    for _ in range(most):
        env.at = index
        insn = program[index]
        seen = index in explored and (
            (observer is not None and observer.comes_again(env, index, came_from is not None)) or is_seen(env, index)
        )
        if log:
            write_step(env, log, index, came_from, seen=seen)
        if seen:
            index = END_OF_PATH
        else:
            if observer:
                observer.step(env, index, insn, came_from is not None)
            came_from = None
            try:
                index = checks[index](env, index, insn)
            except Refused as refusal:
                if observer is None or not observer.passes_over(env, refusal):
                    raise
                index = END_OF_PATH
        if index == END_OF_PATH:
            if not env.pending:
                return
            env.state, index, came_from = env.pending.pop()
    env.at = index
    raise Refused(Rule.TOO_LARGE, "E2BIG", f"BPF program is too large. Proccessed {most + 1} insn")


def is_seen(env: Environment, index: int) -> bool:
    """is_state_visited(): returns whether a state seen at this marked instruction covers the current one; if none does,
    the current one is remembered. It counts as safe at once, because nothing loops."""
    states = env.explored[index]
    equal, now = env.hooks.states_equal, env.state
    for old in states:
        if equal(old, now):
            if env.observer is not None:
                env.observer.covered(old, now)
            return True
    states.append(env.state.copy())
    return False


def write_step(env: Environment, log: Writer, index: int, came_from: int | None, *, seen: bool) -> None:
    """Writes the instruction, and before it where a branch begins, from which jump and in which state."""
    if seen:
        log.write(f"{index}: safe\n" if came_from is None else f"\nfrom {came_from} to {index}: safe\n")
        return
    if came_from is not None:
        log.write(f"\nfrom {came_from} to {index}:{env.state}\n")
    address = index in env.maps or index - 1 in env.maps
    log.write(f"{index}: ", *print_insn(env.program[index], address=address))
