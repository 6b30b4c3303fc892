# SPDX-License-Identifier: MIT
"""A proof that every verifier since 5.10 accepts a program.

It is a verifier of its own, which knows less than any of these: what it accepts, they accept. Of what it does not
accept nothing is said, unless every verifier comes to an instruction that it refuses whatever it knows. `judge` is the
entry point.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Mode, Size
from harness.isa.table import find
from harness.model.verifier.context import VerifierContext
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later import fields
from harness.model.verifier.later.functions import TOO_DEEP, helper_calls, is_tail_call, may_be_too_deep
from harness.model.verifier.later.paths import MOST_SIMULATED
from harness.model.verifier.later.safety.contents import Certain, Unshown
from harness.model.verifier.later.safety.explore import explore
from harness.model.verifier.later.safety.layout import Layout
from harness.model.verifier.later.safety.steps import Steps
from harness.model.verifier.rules import Rule
from harness.model.verifier.verdict import Verdict
from harness.release import Release

MOST_BRANCHES = 8192
"""BPF_COMPLEXITY_LIMIT_JMP_SEQ: how many branches may wait for a verifier while it follows a path, E2BIG beyond."""
_ADDS = frozenset({Class.STX | Mode.ATOMIC | Size.W, Class.STX | Mode.ATOMIC | Size.DW})


def judge(
    program: Sequence[Instruction],
    context: VerifierContext,
    rules: VerifierRules,
    release: Release,
    missing: Collection[int] = (),
) -> Verdict | str:
    """Returns the verdict of `release`, which is 5.10 or later, on the program, loaded with all privileges; where it is
    not shown, returns why. An engine cannot make calls of the helpers in `missing`: they are refused unless no path
    comes to them."""
    unknown = frozenset(index for index, insn in fields.first_halves(program) if _is_atomic_to_come(insn, release))
    try:
        odd = next((what for at, what in fields.oddities_of(program, release, ()) if at not in unknown), "")
        if odd:
            raise Unshown(odd)
        layout = Layout(program)
        if len(layout.begins) > 1 and not context.tail_calls_of_functions and any(map(is_tail_call, program)):
            raise Unshown("functions, and a tail call")
        loads = (insn.imm for _, insn in fields.first_halves(program) if insn.code == LD_IMM64 and insn.src)
        maps = {context.find_map(number) for number in loads}
        if len(maps) > context.limits.maps or any(isinstance(one, str) for one in maps):
            raise Unshown("too many maps, or what is no map")
        if unknown:
            raise Certain(Rule.XADD_FIELDS, "BPF_STX uses reserved fields")
        steps = Steps(program, context, rules)
        found = explore(steps, layout)
        if found.simulated > MOST_SIMULATED:
            raise Unshown(f"its paths have more than {MOST_SIMULATED:,} instructions if none is left out")
        if found.branches > MOST_BRANCHES:
            raise Unshown(f"a path has more than {MOST_BRANCHES:,} branches if none is left out")
        layout.check_depth(steps.used)
        if may_be_too_deep(program):
            raise Unshown(TOO_DEEP)
        if not found.came_to.isdisjoint(helper_calls(program, missing)):
            raise Unshown("a call for the JIT may be reached")
    except Certain as refusal:
        return Verdict("EINVAL", str(refusal), rule=refusal.rule)
    except Unshown as why:
        return str(why)
    return Verdict()


def _is_atomic_to_come(insn: Instruction, release: Release) -> bool:
    """Returns whether it is an atomic operation that a later release brings: before, its `imm` is a reserved field,
    which resolve_pseudo_ldimm64() looks at in every store, also in those that no path comes to."""
    opcode = find(insn)
    return insn.code in _ADDS and opcode is not None and opcode.since > release
