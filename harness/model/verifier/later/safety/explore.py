# SPDX-License-Identifier: MIT
"""Simulates all paths of a program, and counts how many instructions a verifier simulates at most.

A verifier takes no path that is not taken here, since it knows no less. A state that an earlier one covers is not
simulated again, but counted with all that came of that one, because verifiers may find other states equal.

Source: do_check(), is_state_visited(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import NamedTuple

from harness.model.verifier.later.safety.contents import Certain, State, Unshown
from harness.model.verifier.later.safety.layout import Layout
from harness.model.verifier.later.safety.numbers import Number
from harness.model.verifier.later.safety.steps import Steps

MOST_STEPS = 20_000
"""How many instructions are simulated here before it is given up."""
MOST_VISITS = 200
"""How many states are kept at one instruction, with which each later one is compared."""


class Visit:
    """A state in which a path came to the target of a jump, `passed` branches behind that of its parent; `count` are
    the instructions simulated from there on, and `branches` the most branches on a path from there on, in full once it
    is not `open` any more."""

    __slots__ = ("branches", "count", "open", "parent", "passed", "state")

    def __init__(self, state: State | None, parent: Visit | None, passed: int) -> None:
        self.state = state
        self.parent = parent
        self.passed = passed
        self.count = 0
        self.branches = 0
        self.open = True

    def close(self) -> None:
        self.open = False
        if self.parent is not None:
            self.parent.follow(self, self.passed)

    def follow(self, other: Visit, passed: int) -> None:
        """Adds what comes of a visit that a path from here leads to, so many branches on."""
        self.count += other.count
        self.branches = max(self.branches, passed + other.branches)


class Explored(NamedTuple):
    """The instructions that a verifier may come to, how many it simulates at most, and the most branches that may wait
    for it on a path."""

    came_to: Set[int]
    simulated: int
    branches: int


def explore(steps: Steps, layout: Layout, until: Collection[int] = ()) -> Explored:
    """Returns what a verifier explores, up to one of the instructions `until`. Raises Unshown where some verifier may
    refuse the program, and Certain where all do: before the first branch of which it is open whether it is taken."""
    branched = False
    root = Visit(None, None, 0)
    todo: list[tuple[State, int, Visit, int] | Visit] = [(State.at_entry(), 0, root, 0)]
    visits: dict[tuple[int, tuple[int, ...]], list[Visit]] = {}
    came_to: set[int] = set()
    left = MOST_STEPS
    while todo:
        task = todo.pop()
        if isinstance(task, Visit):
            task.close()
            continue
        state, at, visit, passed = task
        index: int | None = at
        while index is not None:
            if index in layout.targets:
                earlier = visits.setdefault((index, state.callers), [])
                if (same := _same(earlier, state)) is not None:
                    visit.follow(same, passed)
                    break
                if len(earlier) == MOST_VISITS:
                    raise Unshown(f"it has more than {MOST_VISITS} states at instruction {index}")
                visit, passed = Visit(state.copy(), visit, passed), 0
                earlier.append(visit)
                todo.append(visit)
            came_to.add(index)
            if index in until:
                return Explored(came_to, root.count, root.branches)
            visit.count += 1
            left -= 1
            if not left:
                raise Unshown(f"it has more than {MOST_STEPS} instructions to simulate")
            try:
                index, branch = steps.step(state, index)
            except Certain as refusal:
                raise (Unshown(f"{refusal} on a path that may not be taken") if branched else refusal) from None
            if branch is not None:
                branched = True
                passed += 1
                visit.branches = max(visit.branches, passed)
                todo.append((*branch, visit, passed))
    return Explored(came_to, root.count, root.branches)


def _same(earlier: Sequence[Visit], state: State) -> Visit | None:
    """Returns the visit that covers a state; raises Unshown for a loop in which nothing may change. Verifiers take a
    loop for endless where registers and stack are the same as before, but for numbers that nothing hung on so far."""
    for visit in earlier:
        assert visit.state is not None
        if not visit.open:
            if visit.state.covers(state):
                return visit
        elif not any(map(_differ, visit.state.top.registers, state.top.registers)):
            raise Unshown("a loop, which may seem endless")
    return None


def _differ(before: object, now: object) -> bool:
    known = isinstance(before, Number) and before.known and isinstance(now, Number) and now.known
    return known and before != now
