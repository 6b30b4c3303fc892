# SPDX-License-Identifier: MIT
"""The verdict on a program on a lane, with the reason as far as the model knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.interface import load
from harness.model.interface.kernel import Kernel
from harness.model.interface.verification import NO_LOG, MapReferences, judge, type_name
from harness.model.interpreter import Interpreter
from harness.model.rules import LoadCheck, dotted
from harness.model.unpredictable import Unpredictable
from harness.model.verifier import LogRequest, Verdict
from harness.programs.maps import NoMap, create
from harness.script import logs
from harness.script.operations import CreateMap, LoadProgram
from harness.script.outcome import Unpredicted, Withheld

WHOLE_LOG = LogRequest(level=1, size=0xFFFFFF, buffer=True)
"""The largest log buffer that 4.1 accepts: bpf_check()."""


@dataclass(frozen=True)
class Opinion:
    """The model's verdict: `verdict` is the verifier's, or Unpredicted; `verifier` is False when something failed
    before it, and then the verdict's message says what. `withheld` is why there is no log where 4.1 would write one."""

    verdict: Verdict | Unpredicted
    verifier: bool = True
    withheld: Withheld | None = None


def verify(environment: Environment, maps: Sequence[CreateMap], operation: LoadProgram) -> Opinion:
    """Returns the verdict on a program whose maps are `maps`."""
    kernel = Kernel(environment, Interpreter(environment.rules))
    withheld = logs.withheld(replace(operation, log_level=WHOLE_LOG.level), environment.era)
    try:
        for map in maps:
            kernel.names.open(map.name, create(environment, map))
        for step in environment.rules.load_checks:
            try:
                load.CHECKS[step](kernel, operation)
            except Errno as error:
                return Opinion(Verdict(error.name, _why(step, environment, operation)), verifier=False)
        references = MapReferences(kernel.names, operation.program)
        return Opinion(judge(environment, operation, references, NO_LOG if withheld else WHOLE_LOG), True, withheld)
    except NoMap as missing:
        return Opinion(Verdict(missing.errno, missing.what) if missing.errno else Unpredicted(missing.what), False)
    except Unpredictable as unpredictable:
        return Opinion(Unpredicted(unpredictable.why))


def _why(step: LoadCheck, environment: Environment, operation: LoadProgram) -> str:
    match step:
        case LoadCheck.LENGTH:
            return f"{len(operation.program.instructions)} instructions"
        case LoadCheck.KERNEL_VERSION:
            ours, theirs = environment.version_code, operation.kern_version or 0
            return f"the program is for Linux {dotted(theirs)}, and this is {dotted(ours)}"
        case LoadCheck.TYPE:
            return f"this kernel has no programs of type {type_name(operation.type)}"
    return step.name.lower().replace("_", " ")
