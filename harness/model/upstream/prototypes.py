# SPDX-License-Identifier: MIT
"""How helpers that came after 4.1 are called: their struct bpf_func_proto, as strictly as 4.1 would have typed them.

Sources: kernel/trace/bpf_trace.c, kernel/bpf/helpers.c, kernel/bpf/ringbuf.c. Which of them a release offers is in
`harness.model.upstream.running`.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from harness.isa.opcodes import Helper
from harness.model.rules import Upstream
from harness.model.upstream.change import Change, change
from harness.model.verifier.prototypes import Argument, Prototype, Return
from harness.release import Release
from harness.script.operations import MapType

_ANYTHING, _CONTEXT, _MAP = Argument.ANYTHING, Argument.CONTEXT, Argument.MAP
_STACK, _MEMORY = (Argument.STACK, Argument.STACK_SIZE), (Argument.MEMORY, Argument.MEMORY_SIZE)
_MEMORY_OR_NONE = (Argument.MEMORY, Argument.MEMORY_SIZE_OR_ZERO)
_FILLED = (Argument.MEMORY, Argument.FILLED_SIZE)
_FILLED_OR_NONE = (Argument.MEMORY, Argument.FILLED_SIZE_OR_ZERO)
_EVENTS = MapType.PERF_EVENT_ARRAY


def _called(
    since: Release, commit: str, more: dict[int, Prototype], *, after: Release | None = None, by_all: bool = False
) -> Change:
    """Makes the change that gives helpers' prototypes. `by_all` says that programs of every type call it so; else those
    on kprobes."""

    def known(rules: Upstream) -> Upstream:
        own = rules.verifier
        prototypes: dict[int, Prototype] = {**own.prototypes, **more}
        of_all: dict[int, Prototype] = {**own.prototypes_of_all, **(more if by_all else {})}
        return replace(
            rules,
            verifier=replace(own, prototypes=MappingProxyType(prototypes), prototypes_of_all=MappingProxyType(of_all)),
        )

    known.__doc__ = f"{', '.join(f'bpf_{Helper(one).name.lower()}' for one in more)}: how it is called is known."
    return change(since, commit, after=after)(known)


_TAIL_CALL = Prototype((_CONTEXT, _MAP, _ANYTHING), Return.NOTHING, map=MapType.PROG_ARRAY)
_READ = Prototype((*_MEMORY, _ANYTHING), gpl_only=True)
_FILL = replace(_READ, arguments=(*_FILLED_OR_NONE, _ANYTHING))
_OUTPUT = Prototype((_CONTEXT, _MAP, _ANYTHING, *_MEMORY_OR_NONE), gpl_only=True, map=_EVENTS)
_GIVES_BACK = Prototype((Argument.RECORD, _ANYTHING), Return.NOTHING)

CHANGES: tuple[Change, ...] = (
    _called(
        (4, 2),
        "04fd61ab36ec, bpf: allow bpf programs to tail-call other bpf programs",
        {Helper.TAIL_CALL: _TAIL_CALL},
        by_all=True,
    ),
    _called(
        (4, 2),
        "ffeedafbf023, bpf: introduce current->pid, tgid, uid, gid, comm accessors",
        {
            Helper.GET_CURRENT_PID_TGID: Prototype(),
            Helper.GET_CURRENT_UID_GID: Prototype(),
            Helper.GET_CURRENT_COMM: Prototype(_STACK),
        },
    ),
    _called(
        (4, 3),
        "35578d798400, bpf: Implement function bpf_perf_event_read() that get the selected hardware PMU counter",
        {Helper.PERF_EVENT_READ: Prototype((_MAP, _ANYTHING), gpl_only=True, map=_EVENTS)},
    ),
    _called(
        (4, 4),
        "a43eec304259, bpf: introduce bpf_perf_event_output() helper",
        {Helper.PERF_EVENT_OUTPUT: replace(_OUTPUT, arguments=(_CONTEXT, _MAP, _ANYTHING, *_STACK))},
    ),
    _called(
        (4, 6),
        "d5a3b1f69186, bpf: introduce BPF_MAP_TYPE_STACK_TRACE",
        {Helper.GET_STACKID: Prototype((_CONTEXT, _MAP, _ANYTHING), gpl_only=True, map=MapType.STACK_TRACE)},
    ),
    _called(
        (4, 8),
        "606274c5abd8, bpf: introduce bpf_get_current_task() helper",
        {Helper.GET_CURRENT_TASK: Prototype(gpl_only=True)},
    ),
    _called(
        (4, 9),
        "60d20f9195b2, bpf: Add bpf_current_task_under_cgroup helper",
        {Helper.CURRENT_TASK_UNDER_CGROUP: Prototype((_MAP, _ANYTHING), map=MapType.CGROUP_ARRAY)},
    ),
    _called(
        (4, 11),
        "5722569bb9c3, bpf: allow helpers access to map element values",
        {
            Helper.PROBE_READ: _READ,
            Helper.GET_CURRENT_COMM: Prototype(_MEMORY),
            Helper.PERF_EVENT_OUTPUT: _OUTPUT,
        },
    ),
    _called((4, 11), "a5e8c07059d0, bpf: add bpf_probe_read_str helper", {Helper.PROBE_READ_STR: _READ}),
    _called(
        (4, 15),
        "908432ca84fc, bpf: add helper bpf_perf_event_read_value for perf event array map",
        {Helper.PERF_EVENT_READ_VALUE: Prototype((_MAP, _ANYTHING, *_MEMORY), gpl_only=True, map=_EVENTS)},
    ),
    _called(
        (4, 18),
        "c195651e565a, bpf: add bpf_get_stack helper",
        {Helper.GET_STACK: Prototype((_CONTEXT, *_MEMORY, _ANYTHING), gpl_only=True)},
    ),
    _called(
        (5, 5),
        "6ae08ae3dea2, bpf: Add probe_read_{user, kernel} and probe_read_{user, kernel}_str helpers",
        {
            Helper.PROBE_READ_USER: _READ,
            Helper.PROBE_READ_KERNEL: _READ,
            Helper.PROBE_READ_USER_STR: _READ,
            Helper.PROBE_READ_KERNEL_STR: _READ,
        },
    ),
    _called(
        (5, 8),
        "082b57e3eb09, net/bpf: Make bpf_ktime_get_ns() available to non GPL programs",
        {Helper.KTIME_GET_NS: Prototype()},
    ),
    _called(
        (5, 8),
        "457f44363a88, bpf: Implement BPF ring buffer and verifier support for it",
        {
            Helper.RINGBUF_OUTPUT: Prototype((_MAP, *_MEMORY_OR_NONE, _ANYTHING), map=MapType.RINGBUF),
            Helper.RINGBUF_RESERVE: Prototype(
                (_MAP, Argument.RECORD_SIZE, _ANYTHING), Return.RECORD_OR_NULL, map=MapType.RINGBUF
            ),
            Helper.RINGBUF_SUBMIT: _GIVES_BACK,
            Helper.RINGBUF_DISCARD: _GIVES_BACK,
            Helper.RINGBUF_QUERY: Prototype((_MAP, _ANYTHING), map=MapType.RINGBUF),
        },
    ),
    _called(
        (5, 10),
        "",
        {Helper.GET_PRANDOM_U32: Prototype(), Helper.GET_SMP_PROCESSOR_ID: Prototype()},
        after=(4, 1),
    ),
    _called(
        (5, 10),
        "",
        {
            **dict.fromkeys(
                (
                    *(Helper.PROBE_READ, Helper.PROBE_READ_STR, Helper.PROBE_READ_USER, Helper.PROBE_READ_KERNEL),
                    *(Helper.PROBE_READ_USER_STR, Helper.PROBE_READ_KERNEL_STR),
                ),
                _FILL,
            ),
            Helper.GET_CURRENT_COMM: Prototype(_FILLED),
            Helper.MAP_PUSH_ELEM: Prototype((_MAP, Argument.MAP_VALUE, _ANYTHING), map=MapType.QUEUE),
            Helper.PERF_EVENT_READ_VALUE: Prototype((_MAP, _ANYTHING, *_FILLED), gpl_only=True, map=_EVENTS),
            Helper.GET_STACK: Prototype((_CONTEXT, *_FILLED_OR_NONE, _ANYTHING), gpl_only=True),
        },
        after=(4, 1),
    ),
    _called(
        (6, 1),
        "",
        {Helper.GET_FUNC_IP: Prototype((_CONTEXT,), gpl_only=True)},
        after=(5, 10),
    ),
)
