# SPDX-License-Identifier: MIT
"""Maps through bpf(2): creation, element commands, their errors; kernel/bpf/hashtab.c, arraymap.c, syscall.c."""

from __future__ import annotations

from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.clauses.maps.creation import creation_clauses
from harness.clauses.maps.elements import array_clauses, descriptors_clauses, hash_clauses
from harness.script.clause import Clause


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(creation_clauses(), hash_clauses(), array_clauses(), descriptors_clauses()))
