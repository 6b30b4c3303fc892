# SPDX-License-Identifier: MIT
"""Helper functions that kprobe programs and socket filters may call: kernel/trace/bpf_trace.c, kernel/bpf/helpers.c.

A helper takes R1 to R5 and returns the new R0; a negative errno is sign-extended to 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.isa.opcodes import Helper
from harness.model import outputs, printk
from harness.model.environment import Environment
from harness.model.errno import Errno, negative
from harness.model.maps import Map, ProgramArrayMap
from harness.model.maps.base import map_behind
from harness.model.memory import Fault
from harness.model.reading import Space, buffer, reader, string_reader
from harness.model.surroundings import Surroundings
from harness.model.surroundings import of as surroundings_of
from harness.model.unpredictable import Unpredictable
from harness.model.value import M32, M64, Pointer, Value, exactly, partial_of, unknown
from harness.script.outcome import Line, Unknown

if TYPE_CHECKING:
    from harness.model.interface.objects import LoadedProgram

COMM_SIZE = 16
MOST_TAIL_CALLS = 33
"""MAX_TAIL_CALL_CNT, include/linux/bpf.h; until 5.16 it was 32, and compared otherwise (all eras seen)."""
BOTH_HALVES = 1 << 32 | 1


class Helpers:
    """The helper functions of one kernel."""

    def __init__(self, environment: Environment, surroundings: Surroundings | None = None) -> None:
        self._environment = environment
        self.faults_of_functions = environment.faults_of_functions
        self._surroundings = surroundings or surroundings_of(environment)

    def __call__(self, number: int, *arguments: Value) -> Value:
        """Calls a helper by its id; raises Unpredictable when the model has no rule for it."""
        if number in self._environment.only_compiled:
            raise Fault(f"call of helper {number}, which only the JIT can make")
        try:
            if outward := _OF_THE_SURROUNDINGS.get(number):
                result = outward(self._surroundings, *arguments)
            elif function := _FUNCTIONS.get(number):
                result = function(self._environment, *arguments)
            else:
                raise Unpredictable(f"the model has no rule for helper {number}")
        except Errno as error:
            result = negative(error.name)
        if number in MAP_CHANGES and self._environment.engine in self._environment.rules.int_map_calls:
            return unknown("what a function that returns an int leaves in the upper half") & ~M32 & M64 | result & M32
        return result

    def tail_call(self, map: Value, index: Value, made: int) -> tuple[LoadedProgram | None, int]:
        """bpf_tail_call(): returns the program to go on with, and the new count of calls. There is no program behind
        the end of the array, in an empty slot, or after the last call that is allowed."""
        of, number = map_behind(map, ProgramArrayMap), exactly(index) & M32
        if number >= of.max_entries or made >= MOST_TAIL_CALLS:
            return None, made
        program = of.program(number)
        if program is None and self._environment.engine not in self._environment.rules.counts_empty_slots:
            return None, made
        return program, made + 1


def map_lookup_elem(environment: Environment, map: Value, key: Value, *__: Value) -> Value:
    """Returns the address of the live value, or 0."""
    of = map_behind(map, Map)
    value = of.lookup(_bytes(key, of.key_size), environment.cpu)
    return 0 if value is None else Pointer(value)


def map_update_elem(environment: Environment, map: Value, key: Value, value: Value, flags: Value, *__: Value) -> Value:
    """Returns 0, -EINVAL, -E2BIG, -EEXIST or -ENOENT."""
    of, source = map_behind(map, Map), buffer(value)
    of.update(_bytes(key, of.key_size), source.region, source.offset, exactly(flags), environment.cpu)
    return 0


def map_delete_elem(_: Environment, map: Value, key: Value, *__: Value) -> Value:
    """Returns 0, -ENOENT or -EINVAL."""
    of = map_behind(map, Map)
    of.delete(_bytes(key, of.key_size))
    return 0


def ktime_get_ns(surroundings: Surroundings, *_: Value) -> Value:
    return partial_of(surroundings.now())


def trace_printk(surroundings: Surroundings, text: Value, size: Value, *arguments: Value) -> Value:
    """Returns the length of what was printed, or -EINVAL."""
    first, second, third = arguments[:3]
    rules, version = surroundings.environment.rules.printk, surroundings.environment.version_code
    pieces = printk.parse(rules, version, _bytes(text, exactly(size)))
    try:
        printed = printk.printed(rules, pieces, (first, second, third))
        if surroundings.trace is not None:
            line = Line(tid=surroundings.caller.number, cpu=surroundings.environment.cpu)
            surroundings.trace.append((line, printed))
        return len(printed)
    except Unpredictable as unpredictable:
        surroundings.distrust_trace(unpredictable.why)
        return unknown(f"the length of a printed text: {unpredictable.why}", bits=10)


def get_prandom_u32(_: Environment, *__: Value) -> Value:
    return unknown("a random number", bits=32)


def get_smp_processor_id(environment: Environment, *_: Value) -> Value:
    return environment.cpu


def get_current_pid_tgid(surroundings: Surroundings, *_: Value) -> Value:
    """Returns the process's number in both halves: its first thread has the same."""
    pid, tid = surroundings.caller.pid, surroundings.caller.tid
    if tid is not None:
        return partial_of(pid) << 32 | partial_of(tid)
    least, most = (BOTH_HALVES * bound for bound in (pid.least or 0, pid.most or M32))
    return partial_of(Unknown("the process and thread id", least, most, pid.same_as, times=BOTH_HALVES))


def get_current_uid_gid(surroundings: Surroundings, *_: Value) -> Value:
    caller = surroundings.caller
    return unknown(caller.doubt) if caller.doubt else caller.gid << 32 | caller.uid


def get_current_comm(surroundings: Surroundings, name: Value, size: Value, *_: Value) -> Value:
    """Copies the process's name, cut so that a zero ends it; what comes after that is cleared, or left as it was."""
    target, room, caller = buffer(name), exactly(size), surroundings.caller
    if caller.comm is None:
        end = min(room, COMM_SIZE)
        target.region.blur(target.offset, end, "the process's name")
    else:
        name_there = caller.comm[: room - 1] + b"\0"
        target.region.store_bytes(target.offset, name_there)
        end = len(name_there)
    if surroundings.environment.rules.clears_behind_name:
        target.region.store_bytes(target.offset + end, bytes(room - end))
    else:
        target.region.blur(target.offset + end, room - end, "a byte behind the process's name")
    return 0


def get_current_task(_: Environment, *__: Value) -> Value:
    return partial_of(Unknown("the address of the current task", least=1 << 63, most=M64))


_FUNCTIONS: dict[int, Callable[..., Value]] = {
    Helper.MAP_LOOKUP_ELEM: map_lookup_elem,
    Helper.MAP_UPDATE_ELEM: map_update_elem,
    Helper.MAP_DELETE_ELEM: map_delete_elem,
    Helper.PROBE_READ: reader(Space.EITHER),
    Helper.GET_PRANDOM_U32: get_prandom_u32,
    Helper.GET_SMP_PROCESSOR_ID: get_smp_processor_id,
    Helper.GET_CURRENT_TASK: get_current_task,
    Helper.PROBE_READ_STR: string_reader(Space.EITHER),
    Helper.PROBE_READ_USER: reader(Space.USER),
    Helper.PROBE_READ_KERNEL: reader(Space.KERNEL),
    Helper.PROBE_READ_USER_STR: string_reader(Space.USER),
    Helper.PROBE_READ_KERNEL_STR: string_reader(Space.KERNEL),
    Helper.PERF_EVENT_READ: outputs.perf_event_read,
    Helper.PERF_EVENT_READ_VALUE: outputs.perf_event_read_value,
    Helper.PERF_EVENT_OUTPUT: outputs.perf_event_output,
    Helper.GET_STACKID: outputs.get_stackid,
    Helper.GET_STACK: outputs.get_stack,
    Helper.RINGBUF_OUTPUT: outputs.ringbuf_output,
    Helper.RINGBUF_RESERVE: outputs.ringbuf_reserve,
    Helper.RINGBUF_SUBMIT: outputs.ringbuf_submit,
    Helper.RINGBUF_DISCARD: outputs.ringbuf_discard,
    Helper.RINGBUF_QUERY: outputs.ringbuf_query,
}

_OF_THE_SURROUNDINGS: dict[int, Callable[..., Value]] = {
    Helper.KTIME_GET_NS: ktime_get_ns,
    Helper.TRACE_PRINTK: trace_printk,
    Helper.GET_CURRENT_PID_TGID: get_current_pid_tgid,
    Helper.GET_CURRENT_UID_GID: get_current_uid_gid,
    Helper.GET_CURRENT_COMM: get_current_comm,
}

KNOWN = frozenset({Helper.TAIL_CALL, *_FUNCTIONS, *_OF_THE_SURROUNDINGS})
"""The helpers that the model has rules for."""
MAP_CHANGES = frozenset({Helper.MAP_UPDATE_ELEM, Helper.MAP_DELETE_ELEM})


def _bytes(value: Value, size: int) -> bytes:
    pointer = buffer(value)
    return pointer.region.known(pointer.offset, size)
