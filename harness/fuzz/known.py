# SPDX-License-Identifier: MIT
"""Divergences of generated cases that are understood: errors of kernels, in those cases only that have the code for it.

An entry of harness/kernel_bugs/bugs.toml with `code`, a regular expression for the text of a program, becomes one known
divergence for each case of a kernel that has such code, so that nothing is excused in any other. Where the model can
have the error, too, it has to predict what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.isa.text import listing
from harness.kernel_bugs.bugs import bugs
from harness.lane import Lane
from harness.run.known import KnownDivergence
from harness.script.operations import LoadProgram, Script


def known(lanes: Iterable[Lane], scripts: Iterable[Script]) -> Iterator[KnownDivergence]:
    """Yields what is known of the cases of one kernel on its lanes."""
    concerned = [(str(lane), bug) for lane in lanes for bug in bugs() if bug.code and bug.seen_on(lane)]
    for script in scripts if concerned else ():
        text = code(script)
        for lane, bug in concerned:
            if re.search(bug.code, text):
                for operation in bug.operations:
                    yield KnownDivergence(script.name, lane, operation, bug.reason, bug.link, fault=bug.fault)


def code(script: Script) -> str:
    """Returns the programs of a case, an instruction a line."""
    loads = (one for one in script.operations if isinstance(one, LoadProgram))
    return "".join(f"{line}\n" for load in loads for _, line in listing(load.program))
