# SPDX-License-Identifier: MIT
"""A proof that every verifier since 5.10 accepts a program.

It is a verifier of its own, which knows less than any of these: what it accepts, they accept. Of what it does not
accept nothing is said. `doubt` is the entry point.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64
from harness.model.verifier.context import VerifierContext
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later import fields
from harness.model.verifier.later.safety.contents import Unshown
from harness.model.verifier.later.safety.explore import explore
from harness.model.verifier.later.safety.layout import Layout
from harness.release import Release


def doubt(program: Sequence[Instruction], context: VerifierContext, rules: VerifierRules, release: Release) -> str:
    """Returns why it is not shown that `release`, which is 5.10 or later, accepts the program, loaded with all
    privileges; "" where it is."""
    try:
        if odd := fields.oddity(program, release, ()):
            raise Unshown(odd)
        layout = Layout(program)
        loads = (insn.imm for _, insn in fields.first_halves(program) if insn.code == LD_IMM64 and insn.src)
        if len({context.find_map(number) for number in loads}) > context.limits.maps:
            raise Unshown("too many maps")
        explore(program, context, rules, layout)
    except Unshown as why:
        return str(why)
    return ""
