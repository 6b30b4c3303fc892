# SPDX-License-Identifier: MIT
"""The link between BPF_PROG_LOAD and the verifier: what the program refers to, and what the verdict means in other
eras.

Only 4.1's verifier is specified; of later ones, what follows from it and from what changed since is predicted
(harness.model.verifier.later).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from harness.abi.bpf import MapFlag
from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Helper, Jump, Pseudo
from harness.lane import Engine
from harness.model import verifier
from harness.model.architecture import architecture_rules
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.interface.descriptors import Names
from harness.model.interface.search import FIRST_TRIALS, MOST_TRIALS, reached
from harness.model.maps import Map
from harness.model.unpredictable import Narrowed, Unpredictable
from harness.model.verifier import Verdict, later
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later.jumps import destination_first, either_first
from harness.model.verifier.log import DESCRIPTOR_NUMBER, Log
from harness.model.verifier.rules import Rule
from harness.script.operations import Descriptor, LoadProgram, MapType, Program, ProgramType
from harness.script.outcome import Text, Unpredicted
from harness.script.reason import Gap

GPL_COMPATIBLE = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
"""license_is_gpl_compatible(), include/linux/license.h."""
LICENSE_SIZE = 127
LOG_OF_AN_INSTRUCTION = 512
"""A size in bytes that the logs of later verifiers, with all registers' states, do not reach."""

SHORT_RECORD, LONG_RECORD = 2048, 8192

NO_LOG = verifier.LogRequest()
_NUMBERS_ONLY = (ProgramType.KPROBE, ProgramType.TRACEPOINT, ProgramType.SOCKET_FILTER)
_CALL = Class.JMP | Jump.CALL
_TRIALS = {later.Effort.LITTLE: FIRST_TRIALS, later.Effort.MUCH: MOST_TRIALS}
_VERDICTS = 512
"""The verdicts that are kept for the same program on the other engine, or in another of the model's ways."""
_KERNELS = 256
"""The kernels, and program types, whose rules are kept for the next program."""


@dataclass(frozen=True)
class Said:
    """A verdict: the errno, None for an accepted program, the log as far as it is known, and the rule that refused."""

    errno: str | None
    log: str | Text | None = None
    rule: Rule | None = None


class MapReferences:
    """The maps that a program's instructions name. For the verifier each descriptor is replaced by a number of the
    model's own."""

    _FIRST = 1 << 24

    def __init__(self, names: Names, program: Program) -> None:
        self._names = names
        self._shapes: dict[Map, verifier.MapShape] = {}
        self._descriptors: dict[int, Descriptor] = {}
        patched = list(program.instructions)
        for index, reference in program.maps:
            number = self._FIRST + index
            self._descriptors[number] = reference
            patched[index] = replace(patched[index], imm=number)
        self.instructions: tuple[Instruction, ...] = tuple(patched)
        self._loads = tuple(_map_loads(self.instructions))

    def find(self, number: int) -> verifier.MapShape | str:
        """Returns the shape of the map behind a descriptor, or the errno's name."""
        try:
            map = self._names.content(self._descriptors.get(number, number), Map, "EINVAL")
        except Errno as error:
            return error.name
        if map not in self._shapes:
            self._shapes[map] = verifier.MapShape(
                map.type,
                map.key_size,
                map.value_size,
                readable=not map.flags & MapFlag.WRONLY_PROG,
                writable=not map.flags & MapFlag.RDONLY_PROG,
                entries=map.max_entries,
                content=_frozen_content(map),
                constant=map.may_be_constant,
            )
        return self._shapes[map]

    def shapes(self) -> tuple[tuple[object, ...], ...]:
        """Returns what `find` gives for every instruction that names a map, and which of them name the same one."""
        found = [self.find(load.imm) for _, load in self._loads]
        return tuple((found.index(one), one if isinstance(one, str) else tuple(vars(one).values())) for one in found)

    def hide(self, log: Log) -> Log:
        """Returns the log without the model's own numbers: only the message about a descriptor shows one, and it comes
        first."""
        first, *rest = log.pieces
        shown = re.match(r"fd (\d+)\b", first) if isinstance(first, str) else None
        if shown is None or int(shown[1]) not in self._descriptors:
            return log
        assert isinstance(first, str)
        return replace(log, pieces=("fd ", DESCRIPTOR_NUMBER, first[shown.end() :], *rest))

    def maps(self) -> dict[int, Map]:
        """Returns every map by the index of the instruction that loads it; for programs whose maps are found."""
        return {
            index: self._names.content(self._descriptors.get(load.imm, load.imm), Map, "EINVAL")
            for index, load in self._loads
        }


def _frozen_content(map: Map) -> bytes | None:
    """Returns the only value of an array that nobody can write any more, as far as it is known."""
    single = map.type == MapType.ARRAY and map.max_entries == 1
    if not (single and map.constant) or map.doubt:
        return None
    value = map.read(bytes(4))
    assert value is not None
    content, unknown = value.image()
    return None if any(unknown) else content


def judge(
    environment: Environment, operation: LoadProgram, references: MapReferences, log: verifier.LogRequest = NO_LOG
) -> Verdict:
    """Returns the verdict on a program that BPF_PROG_LOAD passes to the verifier; raises Unpredictable where the model
    cannot know it.

    The `log` is known for 4.1 only. All callers that need the verdict on a program use this function.
    """
    context = context_of(environment, operation, references, log)
    if len(_said) >= _VERDICTS:
        _said.clear()
    kept = _said.setdefault(_asked(environment, operation, references, context), [])
    if kept:
        said = kept[0]
    else:
        tried: list[bool] = []
        said = _judged(environment, operation, references, context, tried)
        if not tried:
            kept.append(said)
    if isinstance(said, later.Narrowed):
        raise Narrowed(said.reason, said.errnos)
    if isinstance(said, Unpredicted):
        raise Unpredictable(said.reason)
    return said


def _judged(
    environment: Environment,
    operation: LoadProgram,
    references: MapReferences,
    context: verifier.VerifierContext,
    tried: list[bool],
) -> Verdict | Unpredicted:
    """The verdict; `tried` gets an element for each trial, whose result depends on what maps contain."""
    rules = environment.rules
    if rules.verifier.specified:
        return verifier.verify(references.instructions, context)

    def reached(wanted: Collection[int], effort: later.Effort) -> bool:
        tried.append(True)
        return _reached(environment, operation, references, wanted, _TRIALS[effort])

    return later.predict(
        references.instructions,
        context,
        _as_far_as_known(environment),
        rules.release,
        rules.helpers,
        environment.only_compiled,
        reached,
        rules.jit_helpers,
    )


def _asked(
    environment: Environment, operation: LoadProgram, references: MapReferences, context: verifier.VerifierContext
) -> Hashable:
    """All that a verdict without trials depends on. Engines differ in the helpers that only a JIT has, and in tail
    calls of programs with functions: other programs have the same verdict on both."""
    calls = frozenset([one.imm for one in references.instructions if one.code == _CALL and not one.src])
    return (
        environment.of_any_engine,
        calls.intersection(environment.only_compiled),
        Helper.TAIL_CALL in calls and (context.tail_calls_of_functions, context.interpreted),
        operation.type,
        context.gpl,
        context.typed,
        context.log,
        references.instructions,
        references.shapes(),
    )


_said: dict[Hashable, list[Verdict | Unpredicted]] = {}
"""The verdict by what it depends on; none where trials were made. To hash a program takes time, and is done once."""


def _reached(
    environment: Environment, operation: LoadProgram, references: MapReferences, wanted: Collection[int], most: int
) -> bool:
    """Returns whether one of `most` trials comes to one of the instructions, of programs whose context holds numbers
    only."""
    tried = operation.type in _NUMBERS_ONLY
    return tried and reached(environment, operation.program.instructions, references.maps(), wanted, most)


def verdict(environment: Environment, operation: LoadProgram, references: MapReferences) -> Said:
    """Returns what a script observes of the verdict; raises Unpredictable where the model cannot know it."""
    level, size = operation.log_level, operation.log_size
    enough = LOG_OF_AN_INSTRUCTION * (1 + len(references.instructions))
    if level and not environment.rules.verifier.specified and size < enough:
        raise Unpredictable("whether the log of this era's verifier fits the buffer")
    log = verifier.LogRequest(level, size, True) if level else NO_LOG
    said = judge(environment, operation, references, log)
    if said.doubt:
        raise Unpredictable(said.doubt)
    if said.log is None:
        return Said(said.errno, rule=said.rule)
    shown = references.hide(said.log)
    return Said(said.errno, shown if shown.text is None else shown.text, said.rule)


def context_of(
    environment: Environment, operation: LoadProgram, references: MapReferences, log: verifier.LogRequest = NO_LOG
) -> verifier.VerifierContext:
    """Returns what the verifier asks its surroundings; raises Unpredictable for a program type it has no rules for."""
    record = _record_size(environment, operation) if operation.type == ProgramType.TRACEPOINT else 0
    return verifier.VerifierContext(
        kind=_kind(environment, int(operation.type), record),
        gpl=operation.license[:LICENSE_SIZE] in GPL_COMPATIBLE,
        find_map=references.find,
        log=log,
        limits=_limits(environment.rules.helper_limit),
        typed=tuple(index for index, _ in (operation.types or operation.program).functions),
        tail_calls_of_functions=environment.tail_calls_of_functions,
        interpreted=environment.engine == Engine.INTERP,
        aligned=architecture_rules(environment.arch).aligned,
    )


@lru_cache(maxsize=_KERNELS)
def _limits(helpers: int) -> verifier.Limits:
    return replace(verifier.LINUX_4_1, helpers=helpers)


@lru_cache(maxsize=_KERNELS)
def _as_far_as_known(environment: Environment) -> VerifierRules:
    """Returns the verifier of a kernel, of whose stable release it may not be known which field of a jump is checked
    first, and what of the stack may be read."""
    rules, version_code = environment.rules, environment.version_code
    own, first = rules.verifier, rules.jumps_read_first.in_release(version_code)
    reads = {Rule.STACK_UNWRITTEN: rules.reads_unwritten_stack, Rule.STACK_BELOW: rules.reads_below_stack}
    known = {rule: taken.in_release(version_code) for rule, taken in reads.items()}
    hooks = own.hooks
    if first is not False:
        hooks = replace(hooks, check_jump_first=destination_first if first else either_first)
    taken = frozenset(rule for rule, taken in known.items() if taken and known[Rule.STACK_UNWRITTEN])
    refused = {rule for rule, taken in known.items() if taken is False}
    loads_end = rules.packet_loads_end.in_release(version_code)
    return replace(own, lifted=own.lifted - refused, readable=taken, hooks=hooks, packet_loads_end=loads_end)


@lru_cache(maxsize=_KERNELS)
def _kind(environment: Environment, type: int, record: int) -> verifier.ProgramKind:
    """Returns a program type with the helpers it has here; `record` is the bytes of a trace event's record."""
    rules = environment.rules
    kind = _original_kind(environment, type, record)
    traces = type in (ProgramType.KPROBE, ProgramType.TRACEPOINT)
    known = rules.verifier.prototypes if traces else rules.verifier.prototypes_of_all
    added = {id: prototype for id, prototype in known.items() if id in rules.helpers}
    return replace(kind, helpers={**kind.helpers, **added})


def _original_kind(environment: Environment, type: int, record: int) -> verifier.ProgramKind:
    if type == ProgramType.KPROBE:
        return verifier.kprobe(environment.registers.size)
    if type == ProgramType.TRACEPOINT:
        return verifier.tracepoint(record)
    kinds: dict[int, verifier.ProgramKind] = {
        ProgramType.SOCKET_FILTER: replace(verifier.SOCKET_FILTER, context=environment.rules.verifier.filter_context),
        ProgramType.SCHED_CLS: verifier.SCHED_CLS,
        ProgramType.SCHED_ACT: verifier.SCHED_ACT,
    }
    if type in kinds:
        return kinds[type]
    raise Unpredictable(f"the model has no verifier for programs of type {type_name(type)}", Gap.VERDICT)


def _record_size(environment: Environment, operation: LoadProgram) -> int:
    """The most bytes of a trace event's record; Unpredictable where that matters and is not known."""
    long = environment.rules.long_records.in_release(environment.version_code)
    reads = (insn.off for insn in operation.program.instructions if insn.opcode_class == Class.LDX)
    if long is None and max(reads, default=0) >= SHORT_RECORD:
        raise Unpredictable("how much of a record the programs of this stable release may read")
    return LONG_RECORD if long else SHORT_RECORD


def type_name(number: int) -> str:
    """Returns the name as in `enum bpf_prog_type`, or the number of a type without a name."""
    return ProgramType(number).name if number in set(ProgramType) else str(int(number))


def _map_loads(instructions: tuple[Instruction, ...]) -> Iterator[tuple[int, Instruction]]:
    second_half = None
    for index, instruction in enumerate(instructions):
        if instruction.code == LD_IMM64 and index != second_half:
            second_half = index + 1
            if instruction.src in (Pseudo.MAP_FD, Pseudo.MAP_VALUE):
                yield index, instruction
