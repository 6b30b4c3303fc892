# SPDX-License-Identifier: MIT
"""Who says the same as whom, and who does not, of all lanes that ran the same script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.crosscheck.evidence import Evidence, Testimony, alike, steady
from harness.crosscheck.explained import explained
from harness.crosscheck.witness import Witness
from harness.lane import compact
from harness.script.operations import Operation
from harness.script.text import describe_outcome


@dataclass(frozen=True)
class Disagreement:
    """On one operation: `words` are what lanes said, each with those that said it. `alone` is the lane, if there is
    just one, that all others which can be compared with it contradict in one voice, and `foretold` are those on which
    what they said was predicted."""

    index: int
    words: tuple[tuple[str, tuple[str, ...]], ...]
    alone: str = ""
    foretold: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """A line a word: `debian-12/x86_64/jit: 1`."""
        return tuple(f"{','.join(compact(lanes))}: {word}" for word, lanes in self.words)


@dataclass(frozen=True)
class Heard:
    """Of one script on one lane: which other lanes each operation was held against, and the first disagreement in
    which the lane is not with the majority."""

    against: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    disagreement: Disagreement | None = None


def compared(found: Iterable[Evidence]) -> dict[tuple[str, str], Heard]:
    """By lane and script, whatever could be held against another lane; of a lane with several rounds, what was the
    same in all of them."""
    rounds: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
    for one in found:
        rounds[str(one.witness.lane), one.script].append(one)
    groups: dict[tuple[str, tuple[Operation, ...]], list[Evidence]] = defaultdict(list)
    for evidences in rounds.values():
        one = steady(evidences)
        groups[one.script, one.operations].append(one)
    return {key: heard for group in groups.values() if _comparable(group) for key, heard in _compared(group)}


def _comparable(group: Sequence[Evidence]) -> bool:
    """Returns whether there is anything to hold against another lane."""
    return len(group) > 1 and any(one.open for one in group)


def _compared(group: Sequence[Evidence]) -> Iterator[tuple[tuple[str, str], Heard]]:
    """`group` ran the same operations."""
    against: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
    first: dict[str, Disagreement] = {}
    for index in sorted({index for one in group for index in one.testimonies}):
        said = [(one.witness, one.testimonies[index]) for one in group if index in one.testimonies]
        for witness, testimony in said:
            if testimony.foretold:
                continue
            lane = str(witness.lane)
            peers = [
                other
                for other in said
                if other[0] is not witness and comparable(group[0].operations[index], (witness, testimony), other)
            ]
            if peers:
                against[lane][index] = tuple(str(other.lane) for other, _ in peers)
                contrary = [other for other in peers if not alike(testimony, other[1])]
                if lane not in first and contrary and 2 * len(contrary) > len(peers):
                    involved = [other for other in said if other[0] is witness or other in peers]
                    first[lane] = _disagreement(index, witness, involved, len(contrary))
    for lane, indices in against.items():
        yield (lane, group[0].script), Heard(indices, first.get(lane))


def comparable(operation: Operation, one: tuple[Witness, Testimony], other: tuple[Witness, Testimony]) -> bool:
    """Whether two lanes have to say the same of an operation: the same went before, they differ in nothing that the
    model's reasons tell apart, and no rule explains a difference."""
    (ours, said), (theirs, its) = one, other
    differing = ours.differs(theirs)
    return (
        differing in said.across
        and differing in its.across
        and said.course == its.course
        and not explained(operation, ours, theirs, (said.said.errno, its.said.errno))
    )


def _disagreement(
    index: int,
    one: Witness,
    involved: Sequence[tuple[Witness, Testimony]],
    contrary: int,
) -> Disagreement:
    words: dict[str, list[str]] = {}
    foretold = tuple(str(witness.lane) for witness, testimony in involved if testimony.foretold)
    for witness, testimony in involved:
        words.setdefault(describe_outcome(testimony.said), []).append(str(witness.lane))
    alone = len(involved) > 2 and contrary == len(involved) - 1 and len(words) == 2
    told = tuple((word, tuple(lanes)) for word, lanes in words.items())
    return Disagreement(index, told, str(one.lane) if alone else "", foretold)
