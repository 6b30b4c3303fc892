# SPDX-License-Identifier: MIT
"""What changed in kprobes and perf events: kernel/trace/, kernel/events/core.c."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from harness.model.rules import AttachCheck, Attachment, Backport, Keep, Upstream, version
from harness.model.upstream.change import BETWEEN_THOSE_SEEN, Change, change


@change((4, 4), "a43eec304259, bpf: introduce bpf_perf_event_output() helper")
def output_events(rules: Upstream) -> Upstream:
    """Perf events of type PERF_COUNT_SW_BPF_OUTPUT sample what programs hand to them."""
    return replace(rules, output_events=True)


@change((4, 6), "0161028b7c8a, perf/core: Change the default paranoia level to 2")
def more_paranoid(rules: Upstream) -> Upstream:
    """kernel.perf_event_paranoid is 2 when nobody has set it."""
    return replace(rules, defaults=MappingProxyType({**rules.defaults, "kernel/perf_event_paranoid": 2}))


@change((4, 7), "98b5c2c65c29, perf, bpf: allow bpf programs attach to tracepoints")
def static_tracepoints(rules: Upstream) -> Upstream:
    """Static tracepoints take programs, of a type of their own."""
    return replace(rules, static_tracepoints=True)


@change((4, 7), "32bbe0078afe, bpf: sanitize bpf tracepoint access")
def context_in_record(rules: Upstream) -> Upstream:
    """A program is not attached to a static tracepoint whose record ends before what it reads:
    perf_event_set_bpf_prog(), trace_event_get_offsets()."""
    return replace(rules, attach_checks=(*rules.attach_checks, AttachCheck.CONTEXT))


@change((4, 15), "e87c6bc3852b, bpf: permit multiple bpf attachments for a single perf event")
def many_programs(rules: Upstream) -> Upstream:
    """A trace event takes 64 programs, each held by a perf event of its own; a hit is kept when bit 0 of what all of
    them return is set."""
    return replace(
        rules,
        attachment=Attachment.EACH,
        programs_per_trace_event=64,  # BPF_TRACE_MAX_PROGS
        keep=Keep.BIT_0,  # `ret &= prog(ctx)`, beginning with 1
        # perf_event_set_bpf_prog(), perf_event_attach_bpf_prog()
        attach_checks=(
            AttachCheck.TRACE_EVENT_KIND,
            AttachCheck.DESCRIPTOR,
            AttachCheck.PROGRAM_TYPE,
            AttachCheck.CONTEXT,
            AttachCheck.OCCUPIED,
            AttachCheck.ROOM,
        ),
    )


@change((5, 10), after=(4, 1))
def ids_come_back(rules: Upstream) -> Upstream:
    """The ids of trace events that are gone are given to others."""
    return replace(rules, recycles_trace_event_ids=True)


@change((6, 1), after=(4, 1), stable={(5, 10): Backport(0, version(5, 10, 223))})
def long_records(rules: Upstream) -> Upstream:
    """The record of a trace event has up to 8192 bytes, of which programs may read; seen on 5.10.223, too."""
    return replace(rules, long_records=long_records.window(rules.release))


@change((6, 1), after=(5, 10))
def descriptor_first(rules: Upstream) -> Upstream:
    """PERF_EVENT_IOC_SET_BPF resolves the program's descriptor before it looks at the event: _perf_ioctl()."""
    rest = tuple(check for check in rules.attach_checks if check is not AttachCheck.DESCRIPTOR)
    return replace(rules, attach_checks=(AttachCheck.DESCRIPTOR, *rest))


@change((6, 12), after=(6, 6))
def inherited_events_hold_programs(rules: Upstream) -> Upstream:
    """The event that a child inherits holds the program too, and takes it along: perf_event_alloc()."""
    return replace(rules, inherits_program=True)


@change((6, 12), after=(6, 6))
def unknown_symbols(rules: Upstream) -> Upstream:
    """A probe on a function that there is not is EINVAL, where it was ENOENT."""
    return replace(rules, unknown_symbol="EINVAL")


@change(
    (7, 2),
    after=(4, 1),
    stable=BETWEEN_THOSE_SEEN,
)
def first_period_runs(rules: Upstream) -> Upstream:
    """A sample period begins when a tracepoint event does, where it began at its end, so that samples came early:
    perf_trace_add() calls perf_swevent_set_period()."""
    return replace(rules, first_period_runs=first_period_runs.window(rules.release))


CHANGES: tuple[Change, ...] = (
    output_events,
    more_paranoid,
    static_tracepoints,
    context_in_record,
    many_programs,
    ids_come_back,
    long_records,
    descriptor_first,
    inherited_events_hold_programs,
    unknown_symbols,
    first_period_runs,
)
