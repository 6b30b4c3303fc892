# SPDX-License-Identifier: MIT
"""What is debugged: a core script, a clause, a case, a finding of a campaign, an error of kernels, an object file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.check.objects import objects
from harness.check.single import single, split
from harness.fuzz.finding.files import read as read_finding
from harness.kernel_bugs.bugs import bugs
from harness.named import named
from harness.script.operations import LoadProgram, Script
from hil.kernels.kernel import Kernel

_FINDING = ".json"


@dataclass(frozen=True)
class Subject:
    """A script, and the lines of the source of its programs, where they are known: by the program's name, and by the
    number of the instruction that each begins with."""

    script: Script
    source: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def subject(name: str, kernel: Kernel) -> Subject:
    """Returns what `name` means on a kernel: a name, a FINDING.json of a campaign, or OBJECT or OBJECT:PROGRAM.

    Raises UserError when it means nothing, or cannot be run there.
    """
    for bug in bugs():
        if bug.id == name:
            return Subject(bug.script())
    file, program = split(name)
    if file is None and Path(name).suffix == _FINDING:
        file = Path(name)
    if file is None:
        return Subject(named(name, kernel.arch.name, kernel.era)[1])
    if file.suffix == _FINDING:
        return Subject(read_finding(file).script)
    trial, script = single(list(objects([file])), program, kernel)
    lines = {at: f"{line}: {line.text.strip()}".rstrip(": ") for at, line in trial.program.lines}
    return Subject(script, {one.name: lines for one in script.operations if isinstance(one, LoadProgram)})
