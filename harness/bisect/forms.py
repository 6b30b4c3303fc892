# SPDX-License-Identifier: MIT
"""What is bisected, in its form for a kernel: a script by its name, or a program of an object file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.check.naming import split
from harness.check.objects import objects
from harness.check.single import single
from harness.check.trying import NamedObject
from harness.named import named
from harness.script.operations import Script
from hil.errors import HilError, UserError
from hil.kernels import store
from hil.kernels.points import Point

Form = Callable[[Point], Script]


def form_of(what: str) -> tuple[Form, bool]:
    """Returns the function that gives the form for a kernel, and whether all kernels can run the form of one: those of
    an object cannot, which are adjusted to each kernel's types. `what` is a name, or FILE, or FILE:PROGRAM. Raises
    UserError for a file that holds no objects; the function raises it for a kernel that has no form."""
    file, program = split(what)
    if file is None:
        return _named(what), True
    return _adjusted(list(objects([file])), program), False


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
        return single(files, program, kernel)[1]

    return form
