# SPDX-License-Identifier: MIT
"""Looks for an input with which a program comes to some of its instructions, by turning one comparison after another.

Where a trial took one side of a comparison, the input is changed so that it takes the other: an operand that is in the
input is replaced, and one that was computed from it is solved for as if it were linear. The side nearest to one of the
instructions comes first. What is found is tried, so that nothing depends on how it was found.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from random import Random

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.model.environment import Environment
from harness.model.interface.inputs import WORD
from harness.model.interface.trial import Arrived, Comparison, Exhausted, Trials
from harness.model.maps import Map
from harness.model.value import M32, M64
from harness.model.verifier.later.fields import first_halves
from harness.model.verifier.later.functions import is_local

FIRST_TRIALS = 4
"""Inputs that are tried before anything else is; each costs as much as a run."""
MOST_TRIALS = 200
"""Inputs that are tried at most, again included: generated programs are reached within 176, or not with 400 either."""
_TURNS = 3
"""How often the same side of a comparison is aimed at."""


def reached(
    environment: Environment,
    program: tuple[Instruction, ...],
    maps: Mapping[int, Map],
    wanted: Collection[int],
    most: int = FIRST_TRIALS,
) -> bool:
    """Returns whether a trial comes to one of the `wanted` instructions, which are not carried out; `maps` are keyed by
    the index of the instruction that loads them, and are not touched. `most` inputs are tried."""
    trials = Trials(environment, program, maps, wanted, most)
    try:
        _search(trials, wanted)
    except Arrived:
        return True
    except Exhausted:
        pass
    return False


def _search(trials: Trials, wanted: Collection[int]) -> None:
    """Tries one input after another until there is nothing left to change; raises Arrived or Exhausted."""
    far = _distances(trials.program, wanted)
    todo: list[tuple[int, int, bytes, Comparison]] = []
    aimed: Counter[tuple[int, bool]] = Counter()

    def attempt(given: bytes) -> None:
        for one in trials.run(given):
            distance = far.get(_other_side(trials.program, one))
            if distance is not None and aimed[one.index, one.taken] < _TURNS:
                aimed[one.index, one.taken] += 1
                heappush(todo, (distance, aimed.total(), given, one))

    words = (*trials.equalities()[: FIRST_TRIALS // 2], 0)
    for number in range(FIRST_TRIALS):
        attempt(trials.inputs.filled(words[number % len(words)], Random(number)))
    while todo:
        *_, given, comparison = heappop(todo)
        for changed in _turned(trials, given, comparison):
            attempt(changed)


def _distances(program: Sequence[Instruction], wanted: Collection[int]) -> Mapping[int, int]:
    """Returns how many instructions an instruction is from the nearest of these, of those from which one can be
    reached."""
    back: dict[int, list[int]] = defaultdict(list)
    returns = [index + 1 for index, insn in first_halves(program) if is_local(insn)]
    for index, insn in first_halves(program):
        for following in _following(index, insn, returns):
            back[following].append(index)
    far = dict.fromkeys(wanted, 0)
    todo = deque(wanted)
    while todo:
        at = todo.popleft()
        for before in back[at]:
            if before not in far:
                far[before] = far[at] + 1
                todo.append(before)
    return far


def _following(index: int, insn: Instruction, returns: Sequence[int]) -> Iterable[int]:
    """Returns where a run may go on behind an instruction; at the end of a function, wherever one was called."""
    if insn.opcode_class not in (Class.JMP, Class.JMP32):
        return (index + (2 if insn.code == LD_IMM64 else 1),)
    match insn.operation:
        case Jump.EXIT:
            return returns
        case Jump.CALL:
            return (index + 1, index + 1 + insn.imm) if is_local(insn) else (index + 1,)
        case Jump.JA:
            return (index + 1 + (insn.off if insn.opcode_class == Class.JMP else insn.imm),)
    return (index + 1, index + 1 + insn.off)


def _turned(trials: Trials, given: bytes, comparison: Comparison) -> Iterator[bytes]:
    """Yields inputs with which the comparison may go the other way."""
    left, right = comparison.left, comparison.right
    if not isinstance(left, int) or not isinstance(right, int):
        return
    mask = M32 if trials.program[comparison.index].opcode_class == Class.JMP32 else M64
    for mine, other in ((left, right), (right, left)):
        for at in _places(given, mine, mask):
            yield from (_with(given, at, wanted, mask) for wanted in _targets(other, mask))
    for at in trials.inputs.words:
        moved = trials.run(_with(given, at, _word(given, at) + 1, M64))
        again = next((one for one in moved if one.index == comparison.index), None)
        if again is None or not isinstance(again.left, int) or not isinstance(again.right, int):
            continue
        change = (again.left - left) - (again.right - right)
        if change & mask:
            for wanted in _targets(right, mask):
                for factor in _solved(wanted - left, change, mask):
                    yield _with(given, at, _word(given, at) + factor, M64)


def _solved(wanted: int, change: int, mask: int) -> Iterator[int]:
    """Yields a factor by which a change comes to what is wanted, modulo mask + 1."""
    change, wanted = change & mask, wanted & mask
    twos = (change & -change).bit_length() - 1
    modulus = (mask + 1) >> twos
    if not wanted & ((1 << twos) - 1):
        yield (wanted >> twos) * pow(change >> twos, -1, modulus) % modulus


def _targets(other: int, mask: int) -> tuple[int, ...]:
    """Returns numbers that compare otherwise with another one, one way or the other."""
    sign = (mask + 1) >> 1
    return tuple(dict.fromkeys((number & mask) for number in (other, other + 1, other - 1, 0, sign, sign - 1, mask)))


def _places(given: bytes, number: int, mask: int) -> Iterator[int]:
    """Yields where in the input a number is."""
    wanted = (number & mask).to_bytes(WORD, "little")[: 4 if mask == M32 else WORD]
    at = given.find(wanted)
    while at >= 0:
        if not at % 4:
            yield at
        at = given.find(wanted, at + 1)


def _word(given: bytes, at: int) -> int:
    return int.from_bytes(given[at : at + WORD], "little")


def _with(given: bytes, at: int, number: int, mask: int) -> bytes:
    size = 4 if mask == M32 else WORD
    return given[:at] + (number & mask).to_bytes(size, "little") + given[at + size :]


def _other_side(program: Sequence[Instruction], one: Comparison) -> int:
    return one.index + 1 + (0 if one.taken else program[one.index].off)
