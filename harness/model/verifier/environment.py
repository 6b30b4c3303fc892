# SPDX-License-Identifier: MIT
"""The state of one verification: struct verifier_env, kernel/bpf/verifier.c of 4.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from harness.isa.instruction import Instruction
from harness.model.verifier.context import MapShape, VerifierContext
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.log import Writer
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import RegisterType, State
from harness.model.verifier.verdict import Refused


class Thread(NamedTuple):
    """A branch that is still to be simulated: the state in which it goes on at `target`, and the jump it left at."""

    state: State
    target: int
    source: int


class Observer(Protocol):
    """Observes the simulation of paths."""

    def step(self, env: Environment, index: int, insn: Instruction, resumed: bool) -> None:
        """`insn` is about to be simulated in `env.state`; `resumed` says that a branch that waited begins with it."""

    def passes_over(self, env: Environment, refusal: Refused) -> bool:
        """Returns whether only this path ends with a refusal, and the others are simulated all the same."""

    def covered(self, by: State, now: State) -> None:
        """A path ends, as a state seen before covers the current one."""

    def comes_again(self, env: Environment, index: int, resumed: bool) -> bool:
        """Returns whether the simulation would only find again what it found from the same state before."""


class Environment:
    """The verification of one program. `at` is the instruction being checked; `state` what is known before it.

    `rules` are those of the release, and `hooks` the functions among them.

    `maps` are the maps by the index of the first half of the constant that loads them, `pending` the branches that are
    still to be simulated, last in first out. `explored` has an entry for each instruction at which paths are compared:
    the states that went through it. `loaded` is the type of base that each 32 bit load first had. `fetches` is empty
    for 4.1: for a later release it holds, by index, the register that an atomic operation puts the old value into. So
    is `functions`: the indices at which a later release sees functions of the program begin.
    """

    __slots__ = (
        "at",
        "context",
        "explored",
        "fetches",
        "functions",
        "hooks",
        "loaded",
        "log",
        "maps",
        "observer",
        "pending",
        "program",
        "rules",
        "state",
    )

    def __init__(
        self,
        program: Sequence[Instruction],
        context: VerifierContext,
        rules: VerifierRules,
        log: Writer | None = None,
        observer: Observer | None = None,
        fetches: Mapping[int, int] = MappingProxyType({}),
        functions: frozenset[int] = frozenset(),
    ) -> None:
        self.program = program
        self.context = context
        self.rules = rules
        self.hooks = rules.hooks
        self.log = log
        self.observer = observer
        self.fetches = fetches
        self.functions = functions
        self.at: int | None = None
        self.state = State.at_entry()
        self.maps: dict[int, MapShape] = {}
        self.pending: list[Thread] = []
        self.explored: dict[int, list[State]] = {}
        self.loaded: dict[int, RegisterType] = {}

    def push(self, target: int, source: int) -> State:
        """push_stack(): adds a branch with a copy of the current state, which is returned for refinement."""
        state = self.state.copy()
        self.pending.append(Thread(state, target, source))
        if len(self.pending) > self.context.limits.pending:
            raise Refused(Rule.TOO_COMPLEX, "EFAULT", "BPF program is too complex")
        return state
