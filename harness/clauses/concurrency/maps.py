# SPDX-License-Identifier: MIT
"""System calls and programs that change a map at the same time."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.concurrency.parts import HITS, MANY, between, clause, reset, together
from harness.clauses.parts import hits_are
from harness.core_scripts.parts import (
    array,
    count_hits,
    on_our_prctl,
    prctl,
    probed,
    u32,
    u64,
)
from harness.script.clause import Clause, expect
from harness.script.expectation import Expectation
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    LookupElement,
    MapType,
    UpdateElement,
)


def maps_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    by_key = (CreateMap("hits", MapType.HASH, 4, 8, 4), *probed(on_our_prctl(registers, count_hits())))
    fires = [prctl(times=MANY)]
    look = LookupElement(HITS, u32(0), 8)
    seen = expect(look, Expectation(value=0, data=range(MANY + 1)))
    return (
        clause(
            "MAP-51.read",
            "BPF_MAP_LOOKUP_ELEM of an element that a program counts in at the same time returns a count it had",
            *counted,
            together(fires, [seen, seen, seen]),
            hits_are(MANY),
        ),
        clause(
            "MAP-51.store",
            "BPF_MAP_UPDATE_ELEM of an element that a program counts in at the same time loses neither what "
            "it stores nor what is counted after it",
            *counted,
            together(fires, [expect(UpdateElement(HITS, u32(0), u64(MANY)), 0)]),
            between(MANY, 2 * MANY),
        ),
        clause(
            "MAP-51",
            "An element of a hash map may be deleted and inserted again while a program counts in it",
            *by_key,
            expect(UpdateElement(HITS, u32(0), u64(0)), 0),
            together(
                fires,
                [expect(DeleteElement(HITS, u32(0)), 0), expect(UpdateElement(HITS, u32(0), u64(0)), 0), seen],
            ),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(3),
        ),
        clause(
            "MAP-51.absent",
            "A program counts in an element of a hash map from when another thread has inserted it",
            *by_key,
            together(fires, [look, expect(UpdateElement(HITS, u32(0), u64(0), 1), 0), seen]),
            between(0, MANY),
        ),
        clause(
            "MAP-51.twice",
            "One of two threads that delete the same element at the same time succeeds",
            *by_key,
            expect(UpdateElement(HITS, u32(0), u64(0)), 0),
            together([DeleteElement(HITS, u32(0))], [DeleteElement(HITS, u32(0))]),
            expect(look, "ENOENT"),
        ),
        clause(
            "MAP-51.full",
            "One of two threads that insert at the same time where there is room for one element succeeds",
            CreateMap("hits", MapType.HASH, 4, 8, 1),
            together(
                [UpdateElement(HITS, u32(1), u64(5))],
                [UpdateElement(HITS, u32(2), u64(5))],
            ),
            expect(UpdateElement(HITS, u32(3), u64(5)), "E2BIG"),
        ),
    )
