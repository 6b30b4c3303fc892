# SPDX-License-Identifier: MIT
"""Names in generated scripts: what was made, and what operations refer to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from harness.script.operations import Descriptor, Ref


@dataclass(kw_only=True)
class Namer:
    """`names` are those of what there may be, by its kind."""

    random: Random
    names: dict[str, list[str]] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    """How many names of a kind there are, a child's among them."""
    spare: dict[str, list[str]] = field(default_factory=dict)
    """Names of what was closed."""
    pending: list[tuple[str, str]] = field(default_factory=list)

    def name(self, kind: str) -> str:
        """A new one, for what the next operation makes; some of what was closed are given again."""
        spare = self.spare.get(kind)
        if spare and self.random.random() < 0.2:
            name = spare.pop()
        else:
            name = f"{kind}_{self.given[kind]}"
            self.given[kind] += 1
        self.pending.append((kind, name))
        return name

    def unnamed(self, kind: str) -> str:
        """A name nobody may refer to."""
        self.given[kind] += 1
        return f"{kind}_{self.given[kind]}"

    def settle(self) -> None:
        """What the last operation made can be referred to."""
        for kind, name in self.pending:
            self.names.setdefault(kind, []).append(name)
        self.pending.clear()

    def ref(self, *kinds: str) -> Ref:
        """Of something of these kinds, or of any other, where there is none or it may be wrong."""
        right = [name for kind in kinds for name in self.names.get(kind, ())]
        if right and self.random.random() < 0.95:
            return Ref(self.random.choice(right))
        return Ref(self.random.choice([name for names in self.names.values() for name in names]))

    def descriptor(self, *kinds: str) -> Descriptor:
        return -1 if self.random.random() < 0.02 else self.ref(*kinds)
