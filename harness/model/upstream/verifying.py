# SPDX-License-Identifier: MIT
"""What changed in the verifier: kernel/bpf/verifier.c. The functions are in `harness.model.verifier.later`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from harness.isa.opcodes import Class, Helper, Jump
from harness.model.rules import ALWAYS, Backport, Upstream, version
from harness.model.upstream.change import Change, change
from harness.model.verifier.hooks import Check
from harness.model.verifier.later import atomics, bounds, calls, functions, pointers, records, stack, stack_arguments
from harness.model.verifier.prototypes import PACKET_CONTEXT
from harness.model.verifier.rules import Rule
from harness.release import Release
from harness.script.operations import MapType

_TAIL_CALLS = "04fd61ab36ec, bpf: allow bpf programs to tail-call other bpf programs"
_RING_BUFFER = "457f44363a88, bpf: Implement BPF ring buffer and verifier support for it"


def _with(rules: Upstream, **fields: Any) -> Upstream:
    return replace(rules, verifier=replace(rules.verifier, **fields))


def _hooked(rules: Upstream, arms: Mapping[Class, Check] = MappingProxyType({}), **functions: Any) -> Upstream:
    """Returns the rules with other functions, and other arms of do_check()."""
    hooks = rules.verifier.hooks
    checks = tuple(arms.get(kind, check) for kind, check in zip(Class, hooks.checks, strict=True))
    return _with(rules, hooks=replace(hooks, checks=checks, **functions))


def _lifted(rules: Upstream, *more: Rule) -> Upstream:
    return _with(rules, lifted=rules.verifier.lifted | set(more))


@change((4, 2), after=(4, 1))
def inferred(rules: Upstream) -> Upstream:
    """The verifier's verdicts are inferred from 4.1's. It was not looked up what became of its refusals for want of
    room, for alignment and for what is on the stack, nor of those of packets' contexts, which grew."""
    return _lifted(
        _with(rules, specified=False),
        Rule.TOO_COMPLEX,
        Rule.SPILL_CORRUPTED,
        Rule.STACK_READ,
        Rule.STACK_UNWRITTEN,
        Rule.STACK_BELOW,
        Rule.CONTEXT_OF_PACKET,
        Rule.MISALIGNED,
        Rule.ACCESS_BY_STACK_POINTER,  # any constant distance from R10 may be a base since 4.14
        Rule.ACCESS_BY_MAP,  # readable with BTF
        Rule.STACK_TYPE,
        Rule.INDIRECT_READ,
        Rule.ARGUMENT_POINTER,
        Rule.ARGUMENT_SIZE,
        Rule.HELPER_NOT_FOR_PACKETS,
        Rule.TOO_LARGE,
        Rule.TWO_POINTERS,
        Rule.OPEN,
    )


def _maps(since: Release, commit: str, more: Mapping[int, frozenset[int] | None]) -> Change:
    def known(rules: Upstream) -> Upstream:
        return _with(rules, map_helpers=MappingProxyType({**rules.verifier.map_helpers, **more}))

    names = ", ".join(MapType(one).name for one in more)
    known.__doc__ = f"The verifier knows which helpers take maps of type {names}: check_map_func_compatibility()."
    return change(since, commit)(known)


@change((4, 2), _TAIL_CALLS)
def maps_and_helpers(rules: Upstream) -> Upstream:
    """Helpers and maps must fit each other."""
    return _hooked(rules, check_call=calls.check_call, check_func_arg=calls.check_argument)


@change((4, 2), after=(4, 1))
def copies_kept(rules: Upstream) -> Upstream:
    """A register that is copied to itself stays what it was, and a number is not as good as a pointer; whether pointers
    may be computed with in every way is not known."""
    return _hooked(
        rules, copied=pointers.kept, check_arithmetic=pointers.open_arithmetic, states_equal=pointers.states_equal
    )


@change((5, 10), after=(4, 1))
def arithmetic_on_pointers(rules: Upstream) -> Upstream:
    """Arithmetic that makes neither a pointer nor a number of a pointer is refused: adjust_ptr_min_max_vals()."""
    return _hooked(rules, check_arithmetic=pointers.check_arithmetic)


@change((5, 10), after=(4, 1))
def pointers_followed(rules: Upstream) -> Upstream:
    """A pointer stays one where it equals a number, on the stack, and moved by a constant."""
    refine = pointers.kept_in_comparisons(rules.verifier.hooks.refine)
    return _hooked(
        _with(rules, follows_pointers=True),
        refine=refine,
        refine_order=bounds.refine_order,
        moved=stack.moved,
        stack_at=stack.stack_at,
        check_access=stack.check_access,
        check_stack_read=stack.check_stack_read,
        check_stack_write=stack.check_stack_write,
    )


@change((5, 10), after=(4, 1))
def filters_read_more(rules: Upstream) -> Upstream:
    """Socket filters read parts of the words of their context, and write its control block."""
    return _with(rules, filter_context=PACKET_CONTEXT)


@change((4, 15), "c131187db2d3, bpf: fix branch pruning logic")
def unreached_taken_out(rules: Upstream) -> Upstream:
    """Instructions that no path reaches are replaced before the helpers of calls are looked up."""
    return _with(rules, follows_missing_helpers=False)


@change((4, 16), "cc8b0b92a169, bpf: introduce function calls (function boundaries)")
def own_functions(rules: Upstream) -> Upstream:
    """Programs may have functions of their own."""
    hooks = rules.verifier.hooks
    return _hooked(
        _with(rules, functions=True),
        after_call=functions.after_call,
        check_call=functions.entered(hooks.check_call),
        check_exit=functions.left(hooks.check_exit),
    )


@change((5, 10), "09b28d76eac4, bpf: Add abnormal return checks.")
def types_needed(rules: Upstream) -> Upstream:
    """Functions that make tail calls or read packets need types by which they return a number."""
    arms = {Class.LD: functions.loaded(rules.verifier.hooks.checks[Class.LD])}
    return _hooked(_with(rules, types_checked=True), arms)


@change((5, 0), "2dc6b100f928, bpf: interpreter support BPF_ALU | BPF_ARSH")
def narrow_arithmetic_shift(rules: Upstream) -> Upstream:
    """There are arithmetic shifts of 32 bits."""
    return _lifted(rules, Rule.ARSH32)


@change((5, 2), "591fe9888d78, bpf: add program side {rd, wr}only support for maps")
def rights_of_programs(rules: Upstream) -> Upstream:
    """Maps may be for reading or for writing only, as far as programs go."""
    return _hooked(rules, check_mem_access=records.check_mem_access)


@change((5, 3), "2589726d12a1, bpf: introduce bounded loops")
def loops(rules: Upstream) -> Upstream:
    """Programs may have loops."""
    return _lifted(rules, Rule.LOOP)


@change((5, 8), _RING_BUFFER)
def records_given_back(rules: Upstream) -> Upstream:
    """What a program reserves in a ring buffer must be given back on every path."""
    return _hooked(rules, check_exit=records.ended(rules.verifier.hooks.check_exit), refine=records.refine)


@change((5, 12), "5ffa25502b5a, bpf: Add instructions for atomic_[cmp]xchg")
def fetching_atomics(rules: Upstream) -> Upstream:
    """Atomic operations may put what was there into a register."""
    return _hooked(rules, check_xadd=atomics.check_atomic)


@change((6, 1), after=(5, 10))
def early_long_jump(rules: Upstream) -> Upstream:
    """The opcode of a jump with a distance of 32 bits, which came with 6.6, passes. The interpreter runs it; with the
    JIT switched on the load ends with ENOTSUPP (524): seen on 6.1.192 for arm64."""
    return _with(rules, early_opcodes=frozenset({Class.JMP32 | Jump.JA}))


@change(
    (6, 3),
    "6715df8d5d24, bpf: Allow reads from uninit stack",
    after=(5, 10),
    stable={
        (5, 10): Backport(version(5, 10, 218), version(5, 10, 223)),
        (6, 1): Backport(0, version(6, 1, 170)),
    },
)
def unwritten_stack_read(rules: Upstream) -> Upstream:
    """Bytes of the stack that a program did not write may be read, by helpers as well, down to the lowest slot that it
    wrote."""
    window = unwritten_stack_read.window(rules.release)
    rules = replace(rules, reads_unwritten_stack=window)
    return _with(rules, readable=frozenset({Rule.STACK_UNWRITTEN})) if window is ALWAYS else rules


@change(
    (6, 8),
    "6b4a64bafd10, bpf: Fix accesses to uninit stack slots",
    after=(5, 10),
    stable={(6, 1): Backport(version(6, 1, 190), version(6, 1, 192)), (6, 6): Backport(0, version(6, 6, 17))},
)
def stack_below_read(rules: Upstream) -> Upstream:
    """The stack may be read below the lowest slot that a program wrote."""
    window = stack_below_read.window(rules.release)
    rules = replace(rules, reads_below_stack=window)
    both = frozenset({Rule.STACK_UNWRITTEN, Rule.STACK_BELOW})
    return _with(rules, readable=both) if window is ALWAYS else rules


@change(
    (7, 2),
    after=(5, 10),
    stable={
        (6, 1): Backport(version(6, 1, 180), version(6, 1, 187)),
        (6, 12): Backport(version(6, 12, 100), version(6, 12, 101)),
    },
)
def loads_end_functions(rules: Upstream) -> Upstream:
    """The verifier follows the path on which a load from behind the packet ends a function with 0."""
    window = loads_end_functions.window(rules.release)
    return _with(replace(rules, packet_loads_end=window), packet_loads_end=window is ALWAYS)


@change((6, 19), after=(6, 17))
def tail_calls_end_functions(rules: Upstream) -> Upstream:
    """The verifier follows the path on which a tail call ends a function with the other program's result."""
    return _with(rules, tail_calls_end=True)


@change((6, 12), after=(6, 6))
def contexts_written(rules: Upstream) -> Upstream:
    """Whether a program on a kprobe that writes its context is refused is not known; 7.2 loads it and refuses to
    attach it (MEM-07)."""
    return _lifted(rules, Rule.CONTEXT_WRITE)


@change((6, 13), after=(6, 12))
def fields_before_paths(rules: Upstream) -> Upstream:
    """Fields of all instructions may be looked at before any path is simulated; 7.2 does so."""
    return _with(rules, fields_when_reached=False)


@change((7, 2), after=(6, 12))
def fields_first(rules: Upstream) -> Upstream:
    """Arithmetic or a jump with a value in a reserved field is refused wherever it is in the program."""
    return _with(rules, fields_first=True)


@change((6, 14), "d2102f2f5d75, bpf: verifier: Support eliding map lookup nullness")
def indices_known(rules: Upstream) -> Upstream:
    """The element of an array at a constant index needs no check for null."""
    more = (Rule.ACCESS_UNCHECKED, Rule.ARGUMENT_UNCHECKED, Rule.UNCHECKED_ARITHMETIC)
    return _lifted(_with(rules, indices_known=True), *more)


@change((7, 2), after=(6, 12))
def stack_arguments_known(rules: Upstream) -> Upstream:
    """R11 is where functions find arguments beyond the fifth, and where their callers put them."""
    checks = rules.verifier.hooks.checks
    arms = {
        Class.LDX: stack_arguments.reading(checks[Class.LDX]),
        Class.STX: stack_arguments.writing(checks[Class.STX]),
    }
    return _hooked(_with(rules, stack_arguments=True), arms)


_PROG_ARRAYS = _maps((4, 2), _TAIL_CALLS, {MapType.PROG_ARRAY: frozenset({Helper.TAIL_CALL})})
_EVENT_ARRAYS = _maps(
    (4, 3),
    "ea317b267e9d, bpf: Add new bpf map type to store the pointer to struct perf_event",
    {
        MapType.PERF_EVENT_ARRAY: frozenset(
            {Helper.PERF_EVENT_READ, Helper.PERF_EVENT_READ_VALUE, Helper.PERF_EVENT_OUTPUT}
        )
    },
)
_PER_CPU = _maps(
    (4, 6),
    "824bd0ce6c7c, bpf: introduce BPF_MAP_TYPE_PERCPU_HASH map",
    {MapType.PERCPU_HASH: None, MapType.PERCPU_ARRAY: None},
)
_STACK_TRACES = _maps(
    (4, 6),
    "d5a3b1f69186, bpf: introduce BPF_MAP_TYPE_STACK_TRACE",
    {MapType.STACK_TRACE: frozenset({Helper.GET_STACKID})},
)
_CGROUP_ARRAYS = _maps(
    (4, 9),
    "60d20f9195b2, bpf: Add bpf_current_task_under_cgroup helper",
    {MapType.CGROUP_ARRAY: frozenset({Helper.CURRENT_TASK_UNDER_CGROUP})},
)
_QUEUES = _maps(
    (4, 20),
    "f1a2e44a3aec, bpf: add queue and stack maps",
    {MapType.QUEUE: frozenset({Helper.MAP_PUSH_ELEM, Helper.MAP_POP_ELEM, Helper.MAP_PEEK_ELEM})},
)
_LRU = _maps(
    (4, 10),
    "29ba732acbee, bpf: Add BPF_MAP_TYPE_LRU_HASH",
    {MapType.LRU_HASH: None, MapType.LRU_PERCPU_HASH: None},
)
_RING_BUFFERS = _maps(
    (5, 8),
    _RING_BUFFER,
    {MapType.RINGBUF: frozenset({Helper.RINGBUF_OUTPUT, Helper.RINGBUF_RESERVE, Helper.RINGBUF_QUERY})},
)

CHANGES: tuple[Change, ...] = (
    inferred,
    maps_and_helpers,
    copies_kept,
    _PROG_ARRAYS,
    _EVENT_ARRAYS,
    _PER_CPU,
    _STACK_TRACES,
    _CGROUP_ARRAYS,
    _LRU,
    unreached_taken_out,
    own_functions,
    _QUEUES,
    narrow_arithmetic_shift,
    rights_of_programs,
    loops,
    _RING_BUFFERS,
    records_given_back,
    arithmetic_on_pointers,
    pointers_followed,
    filters_read_more,
    fetching_atomics,
    early_long_jump,
    types_needed,
    loads_end_functions,
    tail_calls_end_functions,
    unwritten_stack_read,
    stack_below_read,
    contexts_written,
    fields_before_paths,
    fields_first,
    indices_known,
    stack_arguments_known,
)
