"""What an era's verifier says of a program, with as much as the model knows about why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.isa.opcodes import BASELINE
from harness.model import verifier
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.interface import load
from harness.model.interface.kernel import Kernel
from harness.model.interface.verification import MapReferences, context_of
from harness.model.interpreter import Interpreter
from harness.model.value import Unpredictable
from harness.model.verifier import LogRequest, Verdict, later
from harness.programs.maps import create
from harness.script.operations import CreateMap, LoadProgram
from harness.script.outcome import Unpredicted

WHOLE_LOG = LogRequest(level=1, size=0xFFFFFF, buffer=True)
"""The largest buffer that 4.1 takes: bpf_check()."""


@dataclass(frozen=True)
class Opinion:
    """`verdict` is the verifier's, or Unpredicted; `verifier` is False when BPF_PROG_LOAD failed before it."""

    verdict: Verdict | Unpredicted
    verifier: bool = True


def verify(environment: Environment, maps: Sequence[CreateMap], operation: LoadProgram) -> Opinion:
    """The opinion on a program whose maps are `maps`; UserError when one of them cannot be made."""
    kernel = Kernel(environment, Interpreter(environment.rules))
    for map in maps:
        kernel.names.open(map.name, create(environment, map))
    try:
        load.check(kernel, operation)
    except Errno as error:
        return Opinion(Verdict(error.name), verifier=False)
    references = MapReferences(kernel.names, operation.program)
    try:
        context = context_of(environment, operation, references)
        if environment.rules.release == BASELINE:
            return Opinion(verifier.verify(references.instructions, replace(context, log=WHOLE_LOG)))
        rules = environment.rules
        return Opinion(later.predict(references.instructions, context, rules.release, rules.helpers))
    except Unpredictable as unpredictable:
        return Opinion(Unpredicted(unpredictable.why))
