# SPDX-License-Identifier: MIT
"""Trials of a program before it is loaded, with inputs that it may be given: which instructions it carries out.

A verifier that is right comes to each of them, whatever it knows of the program and whichever paths it leaves out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import cycle, islice
from random import Random

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump, Source
from harness.model.environment import Environment
from harness.model.helpers import Helpers
from harness.model.interpreter import Interpreter
from harness.model.maps import Map, allocate
from harness.model.memory import Region
from harness.model.state import State
from harness.model.value import M64, Pointer
from harness.script.operations import CreateMap, MapType

MOST_TRIALS = 4
"""Inputs that are tried; each costs as much as a run."""
_CONTEXT = 8192
"""More bytes than the context of any program has."""
_PACKET = 1 << 10
_EQUALITIES = frozenset({Class.JMP | Jump.JEQ | Source.K, Class.JMP | Jump.JNE | Source.K})


class _Arrived(Exception):
    """A trial has come to an instruction that was looked for."""


def reached(
    environment: Environment, program: tuple[Instruction, ...], maps: Mapping[int, Map], wanted: Collection[int]
) -> bool:
    """Returns whether a trial comes to one of the `wanted` instructions, which are not carried out; `maps` are keyed by
    the index of the instruction that loads them, and are not touched."""
    interpreter, helpers = _machine(environment)
    handlers = enumerate(interpreter.compile(program))
    code = [(_arrive, one[1]) if index in wanted else one for index, one in handlers]
    for number, word in enumerate(islice(_words(program), MOST_TRIALS)):
        random = Random(number)
        context = Region("a context", _CONTEXT, (word & M64).to_bytes(8, "little") * (_CONTEXT // 8), alignment=8)
        own = {id(map): _filled(environment, map, random) for map in maps.values()}
        like = {index: own[id(map)] for index, map in maps.items()}
        try:
            interpreter.run(code, State(program, like, Pointer(context), helpers, random.randbytes(_PACKET)))
        except _Arrived:
            return True
    return False


def _arrive(*_: object) -> None:
    raise _Arrived


@lru_cache(maxsize=16)
def _machine(environment: Environment) -> tuple[Interpreter, Helpers]:
    return Interpreter(environment.rules), Helpers(environment)


def _words(program: tuple[Instruction, ...]) -> Iterator[int]:
    """Yields what fills the context: numbers that the program compares for equality, which open most ways, and 0."""
    equal = (insn.imm for insn in program if insn.code in _EQUALITIES)
    yield from cycle(dict.fromkeys((*islice(equal, MOST_TRIALS // 2), 0)))


def _filled(environment: Environment, map: Map, random: Random) -> Map:
    """Returns a map like this one; the elements of an array are random, all others hold nothing."""
    made = allocate(environment, CreateMap("", map.type, map.key_size, map.value_size, map.max_entries, map.flags))
    if map.type is MapType.ARRAY:
        value = Region("a value", map.value_size, random.randbytes(map.value_size))
        for index in range(min(map.max_entries, 2)):
            made.write(index.to_bytes(4, "little"), value, 0)
    return made
