# SPDX-License-Identifier: MIT
"""One program of an object file, named as FILE, or FILE:PROGRAM, as a script for one kernel."""

from __future__ import annotations

from collections.abc import Sequence

from harness.check.trying import NamedObject, Trial, trials
from harness.objects.kernel_facts import KernelFacts
from harness.script.needs import CPUS
from harness.script.operations import Script
from hil.errors import UserError
from hil.kernels.kernel import Kernel


def single(files: Sequence[NamedObject], program: str, kernel: Kernel) -> tuple[Trial, Script]:
    """Returns the only program of that name, "" for any, and the script that tries it on a kernel. Raises UserError
    when there is not just one, or it cannot be tried there."""
    found = list(trials(files, KernelFacts.of(kernel, CPUS), wanted=lambda one: program in ("", one.name)))
    if len(found) != 1:
        names = ", ".join(one.program.name for one in trials(files, KernelFacts.of(kernel, CPUS)))
        raise UserError(f"{len(found)} programs are meant, not one", remedy=f"write FILE:PROGRAM with one of {names}")
    (trial,) = found
    if trial.script is None:
        why = trial.refused.what if trial.refused else "nobody can try it"
        raise UserError(f"{trial.name} cannot be tried on {kernel}: {why}")
    return trial, trial.script
