"""Helper functions that kprobe programs and socket filters may call: kernel/trace/bpf_trace.c, kernel/bpf/helpers.c.

A helper takes R1 to R5 and gives the new R0; a negative errno is sign-extended to 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.isa.opcodes import Helper
from harness.model import printk
from harness.model.environment import Environment
from harness.model.errno import Errno, negative
from harness.model.maps import Map, MapHandle
from harness.model.memory import Fault
from harness.model.reading import Space, buffer, reader, string_reader
from harness.model.value import M32, M64, Pointer, Unpredictable, Value, exactly, partial_of, unknown
from harness.script.outcome import Unknown

CLOCK = Unknown("the time since boot in nanoseconds", least=1)
COMM_SIZE = 16


class Helpers:
    """The helpers of one kernel."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __call__(self, number: int, *arguments: Value) -> Value:
        """Call a helper by its id; Unpredictable when the model has no rule for it."""
        function = _FUNCTIONS.get(number)
        if function is None:
            raise Unpredictable(f"the model has no rule for helper {number}")
        try:
            result = function(self._environment, *arguments)
        except Errno as error:
            result = negative(error.name)
        if number in _MAP_CHANGES and self._environment.engine in self._environment.rules.int_map_calls:
            return unknown("what a function that returns an int leaves in the upper half") & ~M32 & M64 | result & M32
        return result


def map_lookup_elem(_: Environment, map: Value, key: Value, *__: Value) -> Value:
    """The address of the live value, or 0."""
    of = _map(map)
    value = of.lookup(_bytes(key, of.key_size))
    return 0 if value is None else Pointer(value)


def map_update_elem(_: Environment, map: Value, key: Value, value: Value, flags: Value, *__: Value) -> Value:
    """0, -EINVAL, -E2BIG, -EEXIST or -ENOENT."""
    of, source = _map(map), buffer(value)
    of.update(_bytes(key, of.key_size), source.region, source.offset, exactly(flags))
    return 0


def map_delete_elem(_: Environment, map: Value, key: Value, *__: Value) -> Value:
    """0, -ENOENT or -EINVAL."""
    of = _map(map)
    of.delete(_bytes(key, of.key_size))
    return 0


def ktime_get_ns(_: Environment, *__: Value) -> Value:
    return partial_of(CLOCK)


def trace_printk(environment: Environment, text: Value, size: Value, *arguments: Value) -> Value:
    """The length of what was printed, or -EINVAL. Scripts do not read the trace buffer."""
    first, second, third = arguments[:3]
    pieces = printk.parse(environment.rules.printk, _bytes(text, exactly(size)))
    try:
        return printk.length(pieces, (first, second, third))
    except Unpredictable as unpredictable:
        return unknown(f"the length of a printed text: {unpredictable.why}", bits=10)


def get_prandom_u32(_: Environment, *__: Value) -> Value:
    return unknown("a random number", bits=32)


def get_smp_processor_id(environment: Environment, *_: Value) -> Value:
    if environment.cpus == 1:
        return 0
    return partial_of(Unknown("a CPU's number", least=0, most=environment.cpus - 1))


def get_current_pid_tgid(_: Environment, *__: Value) -> Value:
    return partial_of(Unknown("the process and thread id", least=1 << 32 | 1))


def get_current_uid_gid(environment: Environment, *_: Value) -> Value:
    if environment.uid == 0:
        return 0
    return unknown("the group id") & ~M32 & M64 | environment.uid


def get_current_comm(_: Environment, name: Value, size: Value, *__: Value) -> Value:
    target = buffer(name)
    target.region.blur(target.offset, min(exactly(size), COMM_SIZE), "the process's name")
    return 0


def get_current_task(_: Environment, *__: Value) -> Value:
    return partial_of(Unknown("the address of the current task", least=1 << 63, most=M64))


_FUNCTIONS: dict[int, Callable[..., Value]] = {
    Helper.MAP_LOOKUP_ELEM: map_lookup_elem,
    Helper.MAP_UPDATE_ELEM: map_update_elem,
    Helper.MAP_DELETE_ELEM: map_delete_elem,
    Helper.PROBE_READ: reader(Space.EITHER),
    Helper.KTIME_GET_NS: ktime_get_ns,
    Helper.TRACE_PRINTK: trace_printk,
    Helper.GET_PRANDOM_U32: get_prandom_u32,
    Helper.GET_SMP_PROCESSOR_ID: get_smp_processor_id,
    Helper.GET_CURRENT_PID_TGID: get_current_pid_tgid,
    Helper.GET_CURRENT_UID_GID: get_current_uid_gid,
    Helper.GET_CURRENT_COMM: get_current_comm,
    Helper.GET_CURRENT_TASK: get_current_task,
    Helper.PROBE_READ_STR: string_reader(Space.EITHER),
    Helper.PROBE_READ_USER: reader(Space.USER),
    Helper.PROBE_READ_KERNEL: reader(Space.KERNEL),
    Helper.PROBE_READ_USER_STR: string_reader(Space.USER),
    Helper.PROBE_READ_KERNEL_STR: string_reader(Space.KERNEL),
}

_MAP_CHANGES = frozenset({Helper.MAP_UPDATE_ELEM, Helper.MAP_DELETE_ELEM})


def _map(value: Value) -> Map:
    if isinstance(value, Pointer) and isinstance(value.region, MapHandle):
        return value.region.map
    raise Fault(f"a helper was given {value} for a map")


def _bytes(value: Value, size: int) -> bytes:
    pointer = buffer(value)
    return pointer.region.known(pointer.offset, size)
