# SPDX-License-Identifier: MIT
"""Names in generated scripts: what was made, and what operations refer to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from harness.script.operations import Descriptor, Ref


@dataclass(kw_only=True)
class Namer:
    """Makes names. `names` are those of objects that may exist, by kind."""

    random: Random
    names: dict[str, list[str]] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    """The number of names of each kind, a child's among them."""
    spare: dict[str, list[str]] = field(default_factory=dict)
    """The names of closed objects."""
    pending: list[tuple[str, str]] = field(default_factory=list)

    def name(self, kind: str) -> str:
        """Returns a new name for what the next operation makes; some of closed objects are reused."""
        spare = self.spare.get(kind)
        if spare and self.random.random() < 0.2:
            name = spare.pop()
        else:
            name = f"{kind}_{self.given[kind]}"
            self.given[kind] += 1
        self.pending.append((kind, name))
        return name

    def unnamed(self, kind: str) -> str:
        """Returns a name that no operation may refer to."""
        self.given[kind] += 1
        return f"{kind}_{self.given[kind]}"

    def settle(self) -> None:
        """Allows references to what the last operation made."""
        for kind, name in self.pending:
            self.names.setdefault(kind, []).append(name)
        self.pending.clear()

    def ref(self, *kinds: str) -> Ref:
        """Returns a reference to an object of these kinds, or of any other, where there is none or it may be wrong."""
        right = [name for kind in kinds for name in self.names.get(kind, ())]
        if right and self.random.random() < 0.95:
            return Ref(self.random.choice(right))
        return Ref(self.random.choice([name for names in self.names.values() for name in names]))

    def descriptor(self, *kinds: str) -> Descriptor:
        return -1 if self.random.random() < 0.02 else self.ref(*kinds)
