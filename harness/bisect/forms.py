# SPDX-License-Identifier: MIT
"""What is bisected, in its form for a kernel: a script by its name, or a program of an object file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.check.objects import objects
from harness.check.trying import NamedObject, trials
from harness.named import named
from harness.objects.kernel_facts import KernelFacts
from harness.script.needs import CPUS
from harness.script.operations import Script
from hil.errors import HilError, UserError
from hil.kernels import store
from hil.kernels.points import Point

Form = Callable[[Point], Script]


def form_of(what: str) -> tuple[Form, bool]:
    """Returns the function that gives the form for a kernel, and whether all kernels can run the form of one: those of
    an object cannot, which are adjusted to each kernel's types. `what` is a name, or FILE, or FILE:PROGRAM. Raises
    UserError for a file that holds no objects; the function raises it for a kernel that has no form."""
    file, program = _split(what)
    if file is None:
        return _named(what), True
    return _adjusted(list(objects([file])), program), False


def _split(what: str) -> tuple[Path | None, str]:
    """Returns the file and the program in it, "" for its only one; no file where there is none."""
    before, _, after = what.rpartition(":")
    for name, program in ((what, ""), (before, after)):
        if name and Path(name).is_file():
            return Path(name), program
    return None, ""


def _named(what: str) -> Form:
    return lambda point: named(what, point.arch.name, store.era(point.name, point.arch))[1]


def _adjusted(files: Sequence[NamedObject], program: str) -> Form:
    made: dict[str, Script] = {}

    def form(point: Point) -> Script:
        if point.name not in made:
            made[point.name] = adjusted(point)
        return made[point.name]

    def adjusted(point: Point) -> Script:
        try:
            kernel = store.get(store.cached_as(point) or point.name, point.arch)
        except HilError as error:
            raise UserError(str(error)) from None
        found = list(trials(files, KernelFacts.of(kernel, CPUS), wanted=lambda one: program in ("", one.name)))
        if len(found) != 1:
            names = ", ".join(one.program.name for one in trials(files, KernelFacts.of(kernel, CPUS)))
            raise UserError(
                f"{len(found)} programs are meant, not one", remedy=f"write FILE:PROGRAM with one of {names}"
            )
        (trial,) = found
        if trial.script is None:
            why = trial.refused.what if trial.refused else "nobody can try it"
            raise UserError(f"{trial.name} cannot be tried on {kernel}: {why}")
        return trial.script

    return form
