# SPDX-License-Identifier: MIT
"""bpf_check(), kernel/bpf/verifier.c of 4.1: the passes in their order; the first refusal is the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.isa.instruction import Instruction
from harness.model.verifier.cfg import check_cfg
from harness.model.verifier.context import VerifierContext
from harness.model.verifier.entry import check_length, check_log, overflows
from harness.model.verifier.environment import Environment
from harness.model.verifier.explore import explore
from harness.model.verifier.fixup import missing_helper
from harness.model.verifier.linux_4_1 import VERIFIER
from harness.model.verifier.log import Log, Writer
from harness.model.verifier.scan import resolve_maps
from harness.model.verifier.verdict import Refused, Verdict


def verify(program: Sequence[Instruction], context: VerifierContext) -> Verdict:
    """Returns the verdict of Linux 4.1.52 on `program`, with the whole text of its log if `context.log` asks for one.

    Never raises, whatever the bytes; always ends, because 4.1 refuses loops and counts what it simulates.
    """
    try:
        check_length(len(program), context.limits)
        check_log(context.log, context.limits)
    except Refused as refusal:
        return Verdict(refusal.errno, rule=refusal.rule)
    writer = Writer() if context.log.level else None
    verdict = run_passes(Environment(program, context, VERIFIER, writer))
    if writer:
        if verdict.message:
            writer.write(f"{verdict.message}\n")
        verdict = _with_log(verdict, writer.log(), context.log.size)
    missing = missing_helper(program, context.kind.helpers) if verdict.errno is None else None
    if missing is None:
        return verdict
    doubt = f"the kernel oopses: no path reaches the call at {missing}, whose helper the program type does not offer"
    return replace(verdict, at=missing, doubt=doubt, oops=True)


def run_passes(env: Environment) -> Verdict:
    """Returns the verdict on a program of proper length, without its log."""
    try:
        resolve_maps(env)
        check_cfg(env)
        explore(env)
    except Refused as refusal:
        return Verdict(refusal.errno, refusal.message, env.at, rule=refusal.rule)
    return Verdict()


def _with_log(verdict: Verdict, log: Log, size: int) -> Verdict:
    """Returns the verdict with the log as far as the buffer holds it; ENOSPC replaces any verdict when the buffer is
    full."""
    full = overflows(log, size)
    errno = "ENOSPC" if full else verdict.errno
    limit = size - 1 if full else None
    doubt = "" if full is not None else "whether the log fits its buffer depends on a map's address"
    return replace(verdict, errno=errno, log=Log(log.pieces, limit), doubt=doubt)
