# SPDX-License-Identifier: MIT
"""Socket filters: net/core/filter.c, sk_attach_bpf() and sk_filter()."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.interface import filter_memory
from harness.model.interface.hits import run
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import LoadedProgram
from harness.model.memory import Region
from harness.model.unpredictable import Ran, Settled, Unpredictable
from harness.model.value import M32, exactly
from harness.script.operations import ProgramType, Ref, RunSocketFilter
from harness.script.outcome import Outcome, Unknown
from harness.script.reason import gap_of

SK_BUFF_SIZE = 256
"""A size larger than any era's `struct __sk_buff`, of which only `len`, at 0, is known here."""


def run_socket_filter(kernel: Kernel, operation: RunSocketFilter) -> Outcome:
    """Returns how many bytes arrive: the verdict cut to the packet's length; raises Errno EBADF, EINVAL, ENOMEM."""
    of = operation.program
    if isinstance(of, Ref) and kernel.names.closed(of.name):
        raise Settled("whether one of the sockets has the number that was closed")
    program = kernel.names.content(of, LoadedProgram, "EINVAL")
    if program.type != ProgramType.SOCKET_FILTER:
        raise Errno("EINVAL")
    if not (takes := filter_memory.takes(kernel.rules, program.instructions)):
        if takes is None:
            raise Unpredictable("whether the filter fits a socket's memory after the verifier")
        raise Errno("ENOMEM")
    context = Region("the socket buffer", SK_BUFF_SIZE, alignment=8, garbage="a field of the socket buffer")
    context.store(0, 4, len(operation.packet))
    try:
        verdict = exactly(run(kernel, program, context, operation.packet) & M32)
    except Ran as ran:
        return _any_length(operation, ran.why)
    except Settled:
        raise
    except Unpredictable as unpredictable:
        if gap_of(unpredictable.why) is None:
            return _any_length(operation, unpredictable.why)
        raise Settled(unpredictable.why) from unpredictable
    return Outcome(value=min(verdict, len(operation.packet)))


def _any_length(operation: RunSocketFilter, why: str) -> Outcome:
    """Returns what is known where the filter's verdict is not: no more arrives than was sent."""
    return Outcome(value=Unknown(f"how much of the packet arrives: {why}", least=0, most=len(operation.packet)))
