# SPDX-License-Identifier: MIT
"""What is debugged: a core script, a clause, a case, a finding of a campaign, an error of kernels, an object file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.check.naming import split
from harness.jobs import completing
from harness.kernel_bugs.bugs import bugs
from harness.named import named
from harness.script.operations import LoadProgram, Script
from hil.errors import UserError
from hil.kernels.kernel import Kernel

_FINDING, _OBJECT, _TESTS = ".json", ".o", ".py"


@dataclass(frozen=True)
class Subject:
    """A script, and the lines of the source of its programs, where they are known: by the program's name, and by the
    number of the instruction that each begins with."""

    script: Script
    source: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def offered() -> Iterable[str]:
    """Returns what a shell offers of it: scripts, clauses, and the errors of kernels that have a program."""
    return (*completing.all_names(), *(bug.id for bug in bugs()))


def subject(name: str, kernel: Kernel) -> Subject:
    """Returns what `name` means on a kernel: a name, a FINDING.json of a campaign, or OBJECT or OBJECT:PROGRAM.

    Raises UserError when it means nothing, or cannot be run there.
    """
    known = {bug.id: bug for bug in bugs()}
    if name in known:
        return Subject(known[name].script())
    _refuse_file(name)
    file, program = split(name)
    if file is None and Path(name).suffix == _FINDING:
        file = Path(name)
    if file is None:
        return Subject(named(name, kernel.arch.name, kernel.era, known)[1])
    # What follows needs more modules than all that is debugged by name.
    if file.suffix == _FINDING:
        from harness.fuzz.finding.files import read

        return Subject(read(file).script)
    from harness.check.objects import objects
    from harness.check.single import single

    trial, script = single(list(objects([file])), program, kernel)
    lines = {at: f"{line}: {line.text.strip()}".rstrip(": ") for at, line in trial.program.lines}
    return Subject(script, {one.name: lines for one in script.operations if isinstance(one, LoadProgram)})


def _refuse_file(name: str) -> None:
    """Raises UserError for a file of tests, of which nothing can be taken by name, and for an object that is not
    there."""
    test = name.partition("::")[0]
    if test.endswith(_TESTS):
        raise UserError(
            f"{test} is a file of tests, which pytest runs",
            remedy=f"run pytest {name} --hil-on-divergence lockstep, which compares where a test fails; an object is "
            "named OBJECT[:PROGRAM] here",
        )
    path = next((one for one in (name, name.rpartition(":")[0]) if one.endswith(_OBJECT)), None)
    if path is not None and not Path(path).is_file():
        raise UserError(
            f"there is no file {path}",
            remedy="write OBJECT[:PROGRAM]; hil check OBJECT --on-divergence lockstep tries all of an object",
        )
