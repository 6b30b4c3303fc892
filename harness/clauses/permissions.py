"""Who may do what: capabilities, the settings that ask for them, and limits."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.clause import Clause


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return ()
