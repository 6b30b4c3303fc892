# SPDX-License-Identifier: MIT
"""Predictions for a later verifier, based on 4.1's.

What 4.1 accepts stays accepted, and what it refuses by a rule that still holds stays refused, as long as nothing on the
way is judged otherwise by verifiers that know more. Opcodes that came later are lowered to some of 4.1's own
(harness.model.verifier.later.opcode_lowering). In all other cases nothing is predicted, and the reason says why: it
speaks of the checks taken over from 4.1, and not of 4.1, which may refuse the same program for another reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump, Pseudo
from harness.isa.table import find
from harness.model.verifier.context import VerifierContext
from harness.model.verifier.environment import Environment
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later import functions, safety
from harness.model.verifier.later.fields import (
    COMPUTING,
    first_halves,
    jumps,
    known_codes,
    oddities_of,
    set_field,
    strange_opcodes,
    unknown_opcode,
)
from harness.model.verifier.later.opcode_lowering import translate
from harness.model.verifier.later.paths import MOST_SIMULATED, most_simulated
from harness.model.verifier.later.safety.unreached import unreached
from harness.model.verifier.later.stack_arguments import is_stack_argument
from harness.model.verifier.later.watch import UNCHECKED, Watch
from harness.model.verifier.rules import SCANNED, WALKED, Rule
from harness.model.verifier.verdict import Refused, Verdict
from harness.model.verifier.verify import run_passes
from harness.release import Release, dotted
from harness.script.outcome import Unpredicted
from harness.script.reason import Gap, Reason

_ARITHMETIC = frozenset({Class.ALU.value, Class.ALU64.value})
_CALL = Class.JMP | Jump.CALL
_REFERRING = (_CALL, LD_IMM64)
_ENDS = (Class.JMP | Jump.EXIT, Class.JMP | Jump.JA, Class.JMP32 | Jump.JA)
_NOT_INTERPRETED = "tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls"
"""fixup_call_args(): of functions with tail calls, wherever these are."""
_ASKED_LAST = frozenset({Rule.TAIL_CALL_AND_FUNCTIONS, Rule.ONLY_COMPILED})
"""Rules about the engine, of the passes behind the simulation."""
_ACCEPTED = "the checks taken over from 4.1 accept it"


class Effort(Enum):
    """How much is done to find an input with which a program comes to an instruction."""

    LITTLE = auto()
    MUCH = auto()


@dataclass(frozen=True)
class Narrowed(Unpredicted):
    """The verdict is not known, but one of these errnos, None for an accepted program."""

    errnos: tuple[str | None, ...] = ()


def _errnos(said: Verdict | _IfReached | None) -> tuple[str | None, ...]:
    return said.errnos if isinstance(said, _IfReached) else (said.errno,) if said else ()


Reached = Callable[[Collection[int], Effort], bool]
"""Returns whether one of these instructions is carried out with some input, so that every verifier that is right comes
to it."""


@dataclass(frozen=True)
class _IfReached:
    """What is said of a program where every verifier comes to one of the instructions `at`; else `reason` says what is
    open. Of a verifier that comes to none of them is said what is in `then`, if anything."""

    at: frozenset[int]
    verdict: Verdict
    reason: str
    then: Verdict | _IfReached | None

    @property
    def errnos(self) -> tuple[str | None, ...]:
        """Returns all that the program may give."""
        return tuple(dict.fromkeys((*_errnos(self.then), self.verdict.errno)))


def predict(
    program: Sequence[Instruction],
    context: VerifierContext,
    rules: VerifierRules,
    release: Release,
    offered: Collection[int],
    missing: Collection[int] = (),
    reached: Reached = lambda *_: False,
    compiled: Collection[int] = (),
) -> Verdict | Unpredicted:
    """Returns the verdict of `release`, later than 4.1, on a program loaded with all privileges; without its log.

    `context` and `rules` are those of the release (its pt_regs, its helpers); `offered` are the helpers that the
    program type has there, also those without a prototype in `context`, and `missing` those that the engine cannot call
    all the same; no engine but a JIT calls those in `compiled`.
    """
    alone = _engines_differ(program, {*missing, *compiled})
    said = _inferred(program, context, rules, release, offered, missing, alone)
    if rules.functions and isinstance(said, Verdict | _IfReached | Narrowed):
        said = _with_stack(said, program)
    if isinstance(said, Verdict):
        return said
    hang = said if isinstance(said, _IfReached) else None
    if hang and reached(hang.at, Effort.LITTLE):
        return hang.verdict
    why = ""
    if rules.follows_pointers:
        shown = safety.judge(program, context, rules, release, missing)
        if isinstance(shown, Verdict):
            return shown
        while hang and hang.then and unreached(program, context, rules, hang.at):
            if isinstance(hang.then, Verdict):
                return hang.then
            hang = hang.then
        why = f"; not shown that every verifier accepts it: {shown}"
    if hang and reached(hang.at, Effort.MUCH):
        return hang.verdict
    reason = Reason(f"{said.reason}{why}", Gap.VERDICT)
    if hang and hang.then and alone:
        return Narrowed(reason, errnos=hang.errnos)
    return replace(said, reason=reason) if isinstance(said, Narrowed) else Unpredicted(reason)


def _with_stack(
    said: Verdict | _IfReached | Narrowed, program: Sequence[Instruction]
) -> Verdict | _IfReached | Narrowed:
    """Returns what is said where functions with tail calls may come behind too much stack: check_max_stack_depth()
    comes behind the simulation, and before the passes that ask what the engine can run."""
    simulated = isinstance(said, Verdict) and not said.accepted and said.rule not in _ASKED_LAST
    if simulated or not functions.may_be_too_deep(program):
        return said
    errnos = (said.errno,) if isinstance(said, Verdict) else said.errnos
    why = _ACCEPTED if isinstance(said, Verdict) else said.reason
    reason = Reason(f"{why}, but {functions.TOO_DEEP}", Gap.VERDICT)
    return Narrowed(reason, errnos=tuple(dict.fromkeys((*errnos, "EACCES"))))


def _engines_differ(program: Sequence[Instruction], compiled: Collection[int]) -> bool:
    """Returns whether engines may give different verdicts, so that another lane says nothing of this one."""
    mixed = any(map(functions.is_tail_call, program)) and any(map(functions.is_local, program))
    return mixed or any(functions.helper_calls(program, compiled))


def _inferred(
    program: Sequence[Instruction],
    context: VerifierContext,
    rules: VerifierRules,
    release: Release,
    offered: Collection[int],
    missing: Collection[int],
    alone: bool,
) -> Verdict | Unpredicted | _IfReached:
    """Returns what follows from 4.1's verdict; `alone` is whether no other lane can judge the program."""
    if not program:
        return Verdict("E2BIG", rule=Rule.LENGTH)
    halves = tuple(first_halves(program))
    strange_ones = strange_opcodes(release, rules.early_opcodes)
    for index, insn in halves:
        if insn.code in strange_ones and (opcode := find(insn)) in strange_ones[insn.code]:
            return _open(f"instruction {index} is {opcode.name}, which came with {dotted(opcode.since)}")
    if program[-1].code not in _ENDS:
        return Verdict("EINVAL", "last insn is not an exit or jmp", len(program) - 1, rule=Rule.LAST_INSTRUCTION)
    if rules.types_checked:
        unread = any(_is_more_than_seen(insn) for _, insn in halves if insn.code in _REFERRING)
        if unread and (context.typed or functions.starts(program)):
            return _open("which functions begin by references that 4.1 does not have")
        if not unread and (message := functions.misfit(program, context.typed)):
            return Verdict("EINVAL", message, rule=Rule.FUNCTION_TYPES)
    elif context.typed:
        return _open("whether the types of the program's functions fit it")
    known = translate(program, release)
    targets = tuple(jumps(known.program))
    if rules.functions and (strange := functions.strange(program, targets, typed=rules.types_checked)):
        return _open(f"4.1 has no functions, and {strange}")
    watch = Watch(program, known, knows_indices=rules.indices_known)
    starts = functions.starts(program) if rules.functions else frozenset()
    env = Environment(known.program, context, rules, observer=watch, fetches=known.fetches, functions=starts)
    verdict = run_passes(env)
    if any(shape.type not in rules.map_helpers for shape in env.maps.values()):
        return _open("the program uses a map of a type 4.1 does not have")
    unknown = unknown_opcode(halves, release)
    if unknown is not None and verdict.errno in (None, "EINVAL", "EACCES"):
        return Verdict("EINVAL", f"unknown opcode {program[unknown].code:02x}", unknown, rule=Rule.OPCODE)
    if rules.fields_first and verdict.errno in (None, "EINVAL", "EACCES"):
        at = set_field(halves)
        if at is not None:
            rule = Rule.ALU_FIELDS if program[at].opcode_class in _ARITHMETIC else Rule.JMP_FIELDS
            return Verdict("EINVAL", "reserved fields are set", at, rule=rule)
    oddities = tuple(
        (index, what)
        for index, what in oddities_of(program, release, targets)
        if not (rules.stack_arguments and is_stack_argument(program[index]))
    )
    other = next((one for one in watch.passed_over if one.errno != verdict.errno), None)
    if other and not verdict.accepted:
        return _open(f"{_refused(other.errno, other.message)} on a path that a later verifier may not take")
    if verdict.accepted:
        odd, doubt = next((what for _, what in oddities), ""), watch.hazard or _length(known.program)
        long = bool(doubt) and alone and not (odd or watch.hazard) and _ends(program, targets)
        if other:
            seen_first = any(not _simulated(program[index], rules, release) for index, _ in oddities)
            mixed = bool(starts) and not context.tail_calls_of_functions and any(map(functions.is_tail_call, program))
            settled = not mixed or (context.interpreted and functions.tail_call_in_function(program))
            then = _runnable(program, watch, context, missing) if settled and not seen_first else None
            if long and then:
                return _or_too_long(doubt, (*(one.errno for one in watch.passed_over), *_errnos(then)))
            return _passed_over(other, watch, doubt or (odd if other.errno != "EINVAL" else ""), then)
        if long:
            return _or_too_long(doubt, _errnos(_runnable(program, watch, context, missing)))
        doubt = odd or doubt
        return _open(f"{_ACCEPTED}, but {doubt}") if doubt else _runnable(program, watch, context, missing)
    inside = all(0 <= target < len(program) for _, target in targets)
    odd = next((what for index, what in oddities if not _simulated(program[index], rules, release)), "")
    alone = alone and _ends(program, targets)
    return _refusal(verdict, env, watch, dotted(release), offered, odd, inside, alone)


def _is_more_than_seen(insn: Instruction) -> bool:
    """Returns whether it calls a function of the kernel, or refers to one of the program."""
    other = insn.code == _CALL and insn.src not in (0, functions.LOCAL)
    return other or (insn.code == LD_IMM64 and insn.src == Pseudo.FUNCTION)


def _or_too_long(doubt: str, errnos: Sequence[str | None]) -> Narrowed:
    return Narrowed(Reason(f"{_ACCEPTED}, but {doubt}", Gap.VERDICT), errnos=tuple(dict.fromkeys((*errnos, "E2BIG"))))


def _open(why: str) -> Unpredicted:
    return Unpredicted(Reason(why, Gap.VERDICT))


def _length(program: Sequence[Instruction]) -> str:
    if most_simulated(program) > MOST_SIMULATED:
        return f"its paths have more than {MOST_SIMULATED:,} instructions if none is left out"
    return ""


def _ends(program: Sequence[Instruction], targets: Sequence[tuple[int, int]]) -> bool:
    """Returns whether it is short and has no loop, so that verifiers can only find too many instructions."""
    calls = sum(map(functions.is_local, program))
    return all(target > index for index, target in targets) and len(program) * (1 + calls) < safety.MOST_BRANCHES


def _simulated(insn: Instruction, rules: VerifierRules, release: Release) -> bool:
    """Returns whether the fields of an instruction are checked only where a path comes to it."""
    known = insn.code in known_codes(release)  # what is not known is seen by the scan
    return known and rules.fields_when_reached and insn.opcode_class in COMPUTING


def _passed_over(
    refusal: Refused, watch: Watch, doubt: str, then: Verdict | _IfReached | None
) -> Verdict | Unpredicted | _IfReached:
    """Returns the verdict on a program that is refused on some paths, in one way, and accepted on all others, `then` if
    the engine can run it."""
    why = f"{_refused(refusal.errno, refusal.message)} on a path that a later verifier may not take"
    if doubt or any(one.errno != refusal.errno for one in watch.passed_over):
        return _open(why)
    at, verdict = watch.refused, Verdict(refusal.errno, refusal.message, rule=refusal.rule)
    if then is None or at != watch.refused_anywhere:
        return _IfReached(at, verdict, why, None)
    if isinstance(then, _IfReached) and then.verdict.errno == refusal.errno:
        return _IfReached(at | then.at, verdict, why, then.then)
    return then if isinstance(then, Verdict) and then.errno == refusal.errno else _IfReached(at, verdict, why, then)


def _runnable(
    program: Sequence[Instruction], watch: Watch, context: VerifierContext, missing: Collection[int]
) -> Verdict | _IfReached:
    """Returns the verdict of the passes after the verifier, which take out what no path reaches, and functions that are
    not called then: whether the engine can make the calls, and the interpreter runs functions."""
    calls = frozenset(functions.helper_calls(program, missing))
    entered: frozenset[int] = frozenset()
    if context.interpreted and functions.tail_call_in_function(program):
        entered = frozenset(index for index, insn in first_halves(program) if functions.is_local(insn))
    if not calls | entered:
        return Verdict()
    first = min(calls | entered)
    numbers = {program[index].imm for index in calls}
    message, rule = _NOT_INTERPRETED, Rule.TAIL_CALL_AND_FUNCTIONS
    if calls:
        message, rule = f"only the JIT can call func {numbers.pop()}" if len(numbers) == 1 else "", Rule.ONLY_COMPILED
    refusal = Verdict("EINVAL", message, first, rule=rule)
    if not watch.reached.isdisjoint(calls | entered):
        return refusal
    why = f"{_ACCEPTED}, but whether instruction {first}, a call for the JIT, is reached is open"
    return _IfReached(calls | entered, refusal, why, Verdict())


def _refusal(
    verdict: Verdict,
    env: Environment,
    watch: Watch,
    release: str,
    offered: Collection[int],
    odd: str,
    jumps_inside: bool,
    alone: bool,
) -> Verdict | Unpredicted:
    """Returns what a later verifier makes of a program that 4.1 refuses; `alone` is whether no other lane can judge it,
    and verifiers can only find too many instructions before they come to the refusal."""
    assert verdict.errno is not None
    assert verdict.rule is not None
    assert verdict.at is not None
    insn = env.program[verdict.at]
    refusal = _refused(verdict.errno, verdict.message)
    rule = verdict.rule
    if rule in env.rules.lifted:
        return _open(f"{refusal}, a rule not known to hold in {release}")
    if watch.checks_copies and rule in UNCHECKED:
        return _open(f"{refusal}, but a copy may have been checked")
    if rule is Rule.HELPER_NOT_OFFERED and insn.imm in offered:
        return _open(f"{refusal}, but the helper exists now")
    if verdict.errno != "EINVAL" and odd:
        return _open(f"{refusal}, but {odd}, which may be seen first")
    if rule in SCANNED and verdict.errno != "EINVAL" and not jumps_inside:
        return Verdict("EINVAL", "jump out of range", rule=Rule.JUMP_RANGE)
    simulated = rule not in SCANNED | WALKED
    if simulated and watch.hazard:
        return _open(f"{refusal}, but {watch.hazard} before that")
    if simulated and watch.resumed and (long := _length(env.program)):
        reason = Reason(f"{refusal}, but {long}", Gap.VERDICT)
        return Narrowed(reason, errnos=(verdict.errno, "E2BIG")) if alone and watch.certain else Unpredicted(reason)
    if simulated and not watch.certain:
        return _open(f"{refusal} on a path that a later verifier may not take")
    return verdict


def _refused(errno: str, message: str) -> str:
    return f"the checks taken over from 4.1 refuse it with {errno} ({message or 'no message'})"
