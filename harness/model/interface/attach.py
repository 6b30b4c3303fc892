# SPDX-License-Identifier: MIT
"""PERF_EVENT_IOC_SET_BPF and what ends an attachment: kernel/events/core.c, perf_event_set_bpf_prog().

There is one function for each check; the era says in which order they are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.model.eras import Era
from harness.model.errno import Errno
from harness.model.interface.context_uses import context_reads
from harness.model.interface.descriptors import Names
from harness.model.interface.objects import LoadedProgram, PerfEvent
from harness.model.rules import AttachCheck, Attachment
from harness.model.unpredictable import Unpredictable
from harness.script.operations import Descriptor, ProgramType


@dataclass(frozen=True)
class Request:
    """An event and the descriptor of a program that is to be attached."""

    event: PerfEvent
    program: Descriptor
    names: Names
    rules: Era

    @property
    def loaded(self) -> LoadedProgram:
        """bpf_prog_get(): raises Errno EBADF, or EINVAL for a file of another kind."""
        return self.names.content(self.program, LoadedProgram, "EINVAL")


def attach(request: Request) -> None:
    """Attaches the program, which runs from now on; raises Errno EEXIST, EINVAL, EBADF, E2BIG by the era's checks."""
    trace_event = request.event.trace_event
    if trace_event.doubt:
        raise Unpredictable(trace_event.doubt)
    for check in request.rules.attach_checks:
        _CHECKS[check](request)
    request.event.program = request.loaded
    trace_event.programs.append(request.loaded)
    if trace_event.foreign:
        why = trace_event.others
        request.loaded.doubt_maps(why)
        if request.loaded.may_print:
            request.event.surroundings.distrust_trace(why, lasting=True)


def occupied(request: Request) -> None:
    """Raises EEXIST: in the first eras when the trace event has a program, later when this perf event has one."""
    one = request.rules.attachment is Attachment.ONE
    if request.event.trace_event.programs if one else request.event.program:
        raise Errno("EEXIST")


def trace_event_kind(request: Request) -> None:
    """Raises EINVAL for what is no kprobe. Static tracepoints pass here since 4.7, and their programs have another
    type."""
    if request.event.trace_event.symbol is None and not request.rules.static_tracepoints:
        raise Errno("EINVAL")


def descriptor(request: Request) -> None:
    """Raises EBADF, or EINVAL when it is not a program's."""
    _ = request.loaded


def program_type(request: Request) -> None:
    """Raises EINVAL for a program of another type than the trace event takes."""
    wanted = ProgramType.TRACEPOINT if request.event.trace_event.symbol is None else ProgramType.KPROBE
    if request.loaded.type != wanted:
        raise Errno("EINVAL")


def context(request: Request) -> None:
    """EACCES for a program that reads beyond the fields of a static tracepoint's record."""
    trace_event = request.event.trace_event
    if trace_event.symbol is not None:
        return
    reads = context_reads(request.loaded.instructions)
    if reads.most == 0:
        return
    if trace_event.record_size is None:
        raise Unpredictable(f"how long the record of {trace_event.name} is")
    if reads.least > trace_event.record_size:
        raise Errno("EACCES")
    if reads.most > trace_event.record_size:
        raise Unpredictable("how much of its context the program reads")


def room(request: Request) -> None:
    """Raises E2BIG when the array of programs is full, EEXIST when it has this program; kernel/bpf/core.c."""
    programs = request.event.trace_event.programs
    if len(programs) >= request.rules.programs_per_trace_event:
        raise Errno("E2BIG")
    if request.loaded in programs:
        raise Errno("EEXIST")


_CHECKS: dict[AttachCheck, Callable[[Request], None]] = {
    AttachCheck.OCCUPIED: occupied,
    AttachCheck.TRACE_EVENT_KIND: trace_event_kind,
    AttachCheck.DESCRIPTOR: descriptor,
    AttachCheck.PROGRAM_TYPE: program_type,
    AttachCheck.CONTEXT: context,
    AttachCheck.ROOM: room,
}


def detach_on_close(attachment: Attachment, event: PerfEvent) -> None:
    """Detaches programs when the last reference to a perf event goes away.

    With one program for each trace event, closing any of its perf events detaches the program, whoever attached it
    (DET-02). Where nobody knows what is attached, every program that may have been attached may still be.
    """
    trace_event = event.trace_event
    if trace_event.doubt:
        return
    if attachment is Attachment.ONE:
        trace_event.programs.clear()
    elif event.program in trace_event.programs:
        trace_event.programs.remove(event.program)
