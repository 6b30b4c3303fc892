"""What can be said of a later verifier, with 4.1's as the base.

What 4.1 accepts stays accepted, and what it refuses by a rule that still holds stays refused, as long as nothing on the
way is seen otherwise by verifiers that know more. Opcodes that came later are shown to it as some of its own
(harness.model.verifier.opcode_lowering). In all other cases nothing is predicted, and the reason says why: it
speaks of the checks taken over from 4.1, and not of 4.1, which may refuse the same program for another reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.notation import hidden_fields
from harness.isa.opcodes import LD_IMM64, REGISTERS, Alu, Class, Helper, Jump, Pseudo, Source
from harness.isa.table import BASELINE, OPCODES, Opcode, find
from harness.model.verifier import functions
from harness.model.verifier.context import LogRequest, VerifierContext
from harness.model.verifier.environment import Environment
from harness.model.verifier.memory import is_stack_argument
from harness.model.verifier.opcode_lowering import STAND_INS, translate
from harness.model.verifier.paths import MOST_SIMULATED, most_simulated
from harness.model.verifier.prototypes import Argument, Prototype
from harness.model.verifier.rules import SCANNED, WALKED, Rule
from harness.model.verifier.verdict import Verdict
from harness.model.verifier.verify import run_passes
from harness.model.verifier.watch import Watch
from harness.release import Release
from harness.script.outcome import Unpredicted

_KNOWN_MAPS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 27})
"""Hash and array, their per-CPU and LRU kin, in all of which programs may look up, update and delete; and those of
`harness.model.verifier.records`."""
_KNOWN_EARLIER: dict[int, Release] = {Class.JMP32 | Jump.JA: (6, 1)}
"""gotol came with 6.6, but 6.1 lets its opcode pass already, 5.10 does not. On 6.1.192 for arm64 the interpreter runs
it, and with the JIT switched on the load ends with ENOTSUPP (524), so that the engine would have to be asked."""
_RETYPED: dict[int, Prototype] = {
    Helper.KTIME_GET_NS: Prototype(),
    Helper.PROBE_READ: Prototype((Argument.MEMORY, Argument.MEMORY_SIZE, Argument.ANYTHING), gpl_only=True),
}
"""Helpers of 4.1 that are no longer for GPL programs only (since 5.8; seen on 5.10.262), or take other memory too."""
UNREAD = frozenset(
    {
        Rule.TOO_COMPLEX,
        Rule.SPILL_CORRUPTED,
        Rule.STACK_READ,
        Rule.CONTEXT_OF_PACKET,  # has more fields, and narrower pieces of them may be read
        Rule.MISALIGNED,
        Rule.ACCESS_BY_STACK_POINTER,  # any constant distance from R10 may be a base since 4.14
        Rule.ACCESS_BY_MAP,  # readable with BTF
        Rule.STACK_TYPE,
        Rule.INDIRECT_READ,
        Rule.ARGUMENT_POINTER,
        Rule.ARGUMENT_SIZE,
        Rule.HELPER_NOT_FOR_PACKETS,
        Rule.ARSH32,
        Rule.LOOP,
        Rule.TOO_LARGE,
        Rule.TWO_POINTERS,
        Rule.OPEN,
    }
)
"""Rules that were lifted, loosened, or of which nobody has read what became of them."""
INDICES_KNOWN: Release = (6, 14)
"""Verifiers know of constant indices which elements of an array there are: d2102f2f5d75."""
LIFTED: dict[Rule, Release] = {
    # A constant index inside an array needs no check.
    Rule.ACCESS_UNCHECKED: INDICES_KNOWN,
    Rule.ARGUMENT_UNCHECKED: INDICES_KNOWN,
    Rule.UNCHECKED_ARITHMETIC: INDICES_KNOWN,
    # 7.2 loads a kprobe program that writes its context and refuses to attach it (MEM-07); 6.12 was not read.
    Rule.CONTEXT_WRITE: (6, 12),
}
"""The first release for which a rule is not known to hold."""
UNCHECKED = frozenset({Rule.ACCESS_UNCHECKED, Rule.ARGUMENT_UNCHECKED, Rule.UNCHECKED_ARITHMETIC})
"""Rules about what may be null."""
FIELDS_FIRST: Release = (6, 13)
"""The first release that may look at all fields before it simulates anything; 6.12 does not."""
_COMPUTING = frozenset({Class.ALU.value, Class.ALU64.value, Class.JMP.value, Class.JMP32.value})
_BYTE_ORDER = frozenset({Class.ALU | Alu.END | Source.K, Class.ALU | Alu.END | Source.X, Class.ALU64 | Alu.END})
_JMP = Class.JMP.value
_CALL = Class.JMP | Jump.CALL
_NO_JUMPS = frozenset({Jump.CALL.value, Jump.EXIT.value})
_ACCEPTED = "the checks taken over from 4.1 accept it"
_ENDS = (Class.JMP | Jump.EXIT, Class.JMP | Jump.JA, Class.JMP32 | Jump.JA)


def predict(
    program: Sequence[Instruction],
    context: VerifierContext,
    release: Release,
    offered: Collection[int],
    missing: Collection[int] = (),
) -> Verdict | Unpredicted:
    """The verdict of `release`, 5.10 or later, on a program loaded with all privileges; without its log.

    `context` is that of the release (its pt_regs, its helpers); `offered` are the helpers the program type has there,
    also those without a prototype in `context`, and `missing` those that the engine cannot call all the same.
    """
    if not program:
        return Verdict("E2BIG", rule=Rule.LENGTH)
    for index, insn in first_halves(program):
        opcode = find(insn)
        if opcode is not None and _is_strange(opcode, release):
            return Unpredicted(f"instruction {index} is {opcode.name}, which came with {_dotted(opcode.since)}")
    if program[-1].code not in _ENDS:
        return Verdict("EINVAL", "last insn is not an exit or jmp", len(program) - 1, rule=Rule.LAST_INSTRUCTION)
    known = translate(program, release)
    targets = tuple(jumps(known.program))
    if strange := functions.strange(program, targets):
        return Unpredicted(f"4.1 has no functions, and {strange}")
    watch = Watch(known.ordered, known.signed, knows_indices=release >= INDICES_KNOWN)
    starts = functions.starts(program)
    env = Environment(known.program, _without_log(context), observer=watch, fetches=known.fetches, functions=starts)
    verdict = run_passes(env)
    if any(shape.type not in _KNOWN_MAPS for shape in env.maps.values()):
        return Unpredicted("the program uses a map of a type 4.1 does not have")
    unknown = unknown_opcode(program, release)
    if unknown is not None and verdict.errno in (None, "EINVAL", "EACCES"):
        return Verdict("EINVAL", f"unknown opcode {program[unknown].code:02x}", unknown, rule=Rule.OPCODE)
    oddities = tuple(
        (index, what)
        for index, what in _oddities(program, release, targets)
        if not (context.stack_arguments and is_stack_argument(program[index]))
    )
    if verdict.accepted:
        doubt = next((what for _, what in oddities), "") or watch.hazard or _length(known.program)
        return Unpredicted(f"{_ACCEPTED}, but {doubt}") if doubt else _callable(program, watch, missing)
    inside = all(0 <= target < len(program) for _, target in targets)
    odd = next((what for index, what in oddities if not _simulated(program[index], release)), "")
    return _refusal(verdict, env, watch, release, offered, odd, inside)


def _length(program: Sequence[Instruction]) -> str:
    if most_simulated(program) > MOST_SIMULATED:
        return f"its paths have more than {MOST_SIMULATED:,} instructions if none is left out"
    return ""


def _simulated(insn: Instruction, release: Release) -> bool:
    """Whether the fields of an instruction are looked at only where a path comes to it. A release after 6.12 looks at
    all of them beforehand: seen on 7.2.13."""
    known = insn.code in _codes(release)  # what is not known is seen by the scan
    return known and release < FIELDS_FIRST and insn.opcode_class in _COMPUTING


def _is_strange(opcode: Opcode, release: Release) -> bool:
    """Whether the release has the opcode, or lets it pass, and 4.1 has nothing like it."""
    if opcode.since > release:
        return _KNOWN_EARLIER.get(opcode.code, opcode.since) <= release
    return opcode.since > BASELINE and opcode.name not in STAND_INS and opcode.name != "call_local"


def _callable(program: Sequence[Instruction], watch: Watch, missing: Collection[int]) -> Verdict | Unpredicted:
    """After the verifier, which takes out what no path reaches."""
    calls = [
        index
        for index, insn in first_halves(program)
        if insn.code == _CALL and insn.imm in missing and not functions.is_local(insn)
    ]
    for index in calls:
        if index in watch.reached:
            message = f"only the JIT can call func {program[index].imm}"
            return Verdict("EINVAL", message, index, rule=Rule.ONLY_COMPILED)
    if calls:
        return Unpredicted(f"{_ACCEPTED}, but whether instruction {calls[0]}, a call for the JIT, is reached is open")
    return Verdict()


def _without_log(context: VerifierContext) -> VerifierContext:
    retyped = {number: prototype for number, prototype in _RETYPED.items() if number in context.kind.helpers}
    kind = replace(context.kind, helpers={**context.kind.helpers, **retyped})
    return replace(context, kind=kind, log=LogRequest(), keeps_pointers=True)


def _dotted(release: Release) -> str:
    return ".".join(map(str, release))


def _refusal(
    verdict: Verdict,
    env: Environment,
    watch: Watch,
    release: Release,
    offered: Collection[int],
    odd: str,
    jumps_inside: bool,
) -> Verdict | Unpredicted:
    assert verdict.errno is not None
    assert verdict.rule is not None
    assert verdict.at is not None
    insn = env.program[verdict.at]
    said = f"the checks taken over from 4.1 refuse it with {verdict.errno} ({verdict.message or 'no message'})"
    rule = verdict.rule
    if rule in UNREAD or (rule in LIFTED and release >= LIFTED[rule]):
        return Unpredicted(f"{said}, a rule not known to hold in {_dotted(release)}")
    if watch.checks_copies and rule in UNCHECKED:
        return Unpredicted(f"{said}, but a copy may have been checked")
    if rule is Rule.HELPER_NOT_OFFERED and insn.imm in offered:
        return Unpredicted(f"{said}, but the helper exists now")
    if verdict.errno != "EINVAL" and odd:
        return Unpredicted(f"{said}, but {odd}, which may be seen first")
    if rule in SCANNED and verdict.errno != "EINVAL" and not jumps_inside:
        return Verdict("EINVAL", "jump out of range", rule=Rule.JUMP_RANGE)
    simulated = rule not in SCANNED | WALKED
    if simulated and watch.hazard:
        return Unpredicted(f"{said}, but {watch.hazard} before that")
    if simulated and watch.resumed and (long := _length(env.program)):
        return Unpredicted(f"{said}, but {long}")
    if simulated and not watch.certain:
        return Unpredicted(f"{said} on a path that a later verifier may not take")
    return verdict


def first_halves(program: Sequence[Instruction]) -> Iterator[tuple[int, Instruction]]:
    """Every instruction with its index, of a 64 bit constant the first half only."""
    index = 0
    while index < len(program):
        yield index, program[index]
        index += 2 if program[index].code == LD_IMM64 else 1


def unknown_opcode(program: Sequence[Instruction], release: Release) -> int | None:
    """The first instruction whose opcode means nothing: refused by the scan, which also resolves maps."""
    known = _codes(release)
    return next((index for index, insn in first_halves(program) if insn.code not in known), None)


@cache
def _codes(release: Release) -> frozenset[int]:
    return frozenset(opcode.code for opcode in OPCODES if opcode.since <= release)


def oddity(program: Sequence[Instruction], release: Release, targets: Sequence[tuple[int, int]]) -> str:
    """What some later verifier refuses without simulating it (all with EINVAL), "" for nothing: fields that mean
    nothing, registers that do not exist, a jump (one of `targets`) into a 64 bit constant."""
    return next((what for _, what in _oddities(program, release, targets)), "")


def _oddities(
    program: Sequence[Instruction], release: Release, targets: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, str]]:
    """All of it, each with the instruction that it is seen at."""
    halves = set()
    for index, insn in first_halves(program):
        opcode = find(insn)
        if opcode is None or opcode.since > release:
            yield index, f"instruction {index} has an operation the release does not know"
            continue
        if insn.dst >= REGISTERS or insn.src >= REGISTERS:
            yield index, f"instruction {index} names a register that does not exist"
        following = program[index + 1].imm if insn.code == LD_IMM64 and index + 1 < len(program) else 0
        width = insn.code not in _BYTE_ORDER or insn.imm in (16, 32, 64)
        second = insn.code == LD_IMM64 and insn.src == Pseudo.MAP_FD and following
        if hidden_fields(opcode, insn) or not width or second:
            yield index, f"instruction {index} has a value in a reserved field"
        if insn.code == LD_IMM64:
            halves.add(index + 1)
    for index, target in targets:
        if target in halves:
            yield target, f"instruction {index} jumps into a 64 bit constant"


def jumps(program: Sequence[Instruction]) -> Iterator[tuple[int, int]]:
    """Every jump's index with the index it leads to, in opcodes of 4.1."""
    for index, insn in first_halves(program):
        if insn.opcode_class == _JMP and insn.operation not in _NO_JUMPS:
            yield index, index + insn.off + 1
