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
from harness.model.value import M32, M64, Pointer, Unpredictable, Value, exactly, number, partial_of, unknown
from harness.script.outcome import Unknown

CLOCK = Unknown("the time since boot in nanoseconds", least=1)
LOWEST_MAPPABLE = 1 << 16
"""No process maps anything below: vm.mmap_min_addr."""
COMM_SIZE = 16
ALIKE = {
    "x86_64": (56, 63),  # canonical addresses with five-level paging, which QEMU's `max` CPU has
    "arm64": (48, 55),  # 48 bit addresses; the byte above may be a tag
}
"""Bits of an address that must all be the same, lowest and highest; an access faults when they are not."""


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
            return function(self._environment, *arguments)
        except Errno as error:
            return negative(error.name)


def map_lookup_elem(_: Environment, map: Value, key: Value, *__: Value) -> Value:
    """The address of the live value, or 0."""
    of = _map(map)
    value = of.lookup(_bytes(key, of.key_size))
    return 0 if value is None else Pointer(value)


def map_update_elem(_: Environment, map: Value, key: Value, value: Value, flags: Value, *__: Value) -> Value:
    """0, -EINVAL, -E2BIG, -EEXIST or -ENOENT."""
    of, source = _map(map), _pointer(value)
    of.update(_bytes(key, of.key_size), source.region, source.offset, exactly(flags))
    return 0


def map_delete_elem(_: Environment, map: Value, key: Value, *__: Value) -> Value:
    """0, -ENOENT or -EINVAL."""
    of = _map(map)
    of.delete(_bytes(key, of.key_size))
    return 0


def probe_read(environment: Environment, to: Value, size: Value, address: Value, *_: Value) -> Value:
    """Copies memory that may not be there; 0 or -EFAULT. Since 4.7 a failure clears what `to` points to."""
    target, octets = _pointer(to), exactly(size)
    if isinstance(address, Pointer):
        if address.offset < 0 or address.offset + octets > address.region.size:
            return _read_blindly(target, octets, f"what lies around {address.region.name}")
        target.region.copy(target.offset, address.region, address.offset, octets)
        return 0
    if not isinstance(address, int) or not _unmapped(environment, address):
        return _read_blindly(target, octets, f"memory at {_told(address)}")
    return _failed_read(environment, target, octets)


def probe_read_user(environment: Environment, to: Value, size: Value, address: Value, *_: Value) -> Value:
    """As probe_read, of user space only."""
    if isinstance(address, Pointer) and not address.region.user:
        return _failed_read(environment, _pointer(to), exactly(size))
    return probe_read(environment, to, size, address)


def probe_read_kernel(environment: Environment, to: Value, size: Value, address: Value, *_: Value) -> Value:
    """As probe_read, of kernel memory only."""
    if isinstance(address, Pointer) and address.region.user:
        target, octets = _pointer(to), exactly(size)
        if environment.arch in environment.rules.kernel_reads_refuse_user:
            return _failed_read(environment, target, octets)
        return _read_blindly(target, octets, "user space by a kernel read")
    return probe_read(environment, to, size, address)


def probe_read_str(environment: Environment, to: Value, size: Value, address: Value, *_: Value) -> Value:
    """Copies up to and with a NUL, or cuts to `size` bytes with a NUL; the length with it, or -EFAULT."""
    target, octets = _pointer(to), exactly(size)
    if not isinstance(address, Pointer):
        return probe_read(environment, to, size, address)
    text = address.region.known(address.offset, max(min(octets, address.region.size - address.offset), 0))
    if 0 in text:
        text = text[: text.index(0) + 1]
    elif len(text) == octets > 0:
        text = text[:-1] + b"\0"
    else:
        return _read_blindly(target, octets, f"what lies around {address.region.name}")
    target.region.store_bytes(target.offset, text)
    return len(text)


def ktime_get_ns(_: Environment, *__: Value) -> Value:
    return partial_of(CLOCK)


def trace_printk(environment: Environment, text: Value, size: Value, *arguments: Value) -> Value:
    """The length of what was printed, or -EINVAL. Scripts do not read the trace buffer."""
    first, second, third = arguments[:3]
    try:
        return printk.length(environment.rules.printk, _bytes(text, exactly(size)), (first, second, third))
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


def get_current_comm(_: Environment, buffer: Value, size: Value, *__: Value) -> Value:
    target = _pointer(buffer)
    target.region.blur(target.offset, min(exactly(size), COMM_SIZE), "the process's name")
    return 0


def get_current_task(_: Environment, *__: Value) -> Value:
    return partial_of(Unknown("the address of the current task", least=1 << 63, most=M64))


_FUNCTIONS: dict[int, Callable[..., Value]] = {
    Helper.MAP_LOOKUP_ELEM: map_lookup_elem,
    Helper.MAP_UPDATE_ELEM: map_update_elem,
    Helper.MAP_DELETE_ELEM: map_delete_elem,
    Helper.PROBE_READ: probe_read,
    Helper.KTIME_GET_NS: ktime_get_ns,
    Helper.TRACE_PRINTK: trace_printk,
    Helper.GET_PRANDOM_U32: get_prandom_u32,
    Helper.GET_SMP_PROCESSOR_ID: get_smp_processor_id,
    Helper.GET_CURRENT_PID_TGID: get_current_pid_tgid,
    Helper.GET_CURRENT_UID_GID: get_current_uid_gid,
    Helper.GET_CURRENT_COMM: get_current_comm,
    Helper.GET_CURRENT_TASK: get_current_task,
    Helper.PROBE_READ_STR: probe_read_str,
    Helper.PROBE_READ_USER: probe_read_user,
    Helper.PROBE_READ_KERNEL: probe_read_kernel,
    Helper.PROBE_READ_USER_STR: probe_read_str,
    Helper.PROBE_READ_KERNEL_STR: probe_read_str,
}


def _map(value: Value) -> Map:
    if isinstance(value, Pointer) and isinstance(value.region, MapHandle):
        return value.region.map
    raise Fault(f"a helper was given {_told(value)} for a map")


def _pointer(value: Value) -> Pointer:
    if isinstance(value, Pointer):
        return value
    raise Fault(f"a helper was given {_told(value)} for a buffer")


def _bytes(value: Value, size: int) -> bytes:
    pointer = _pointer(value)
    return pointer.region.known(pointer.offset, size)


def _unmapped(environment: Environment, address: int) -> bool:
    """Whether an access must fault: the lowest pages, and addresses no page table reaches."""
    lowest, highest = ALIKE[environment.arch]
    ones = (1 << highest - lowest + 1) - 1
    return address < LOWEST_MAPPABLE or address >> lowest & ones not in (0, ones)


def _failed_read(environment: Environment, target: Pointer, octets: int) -> Value:
    if environment.rules.probe_read_clears:
        target.region.store_bytes(target.offset, bytes(octets))
    return negative("EFAULT")


def _read_blindly(target: Pointer, octets: int, what: str) -> Value:
    """A read of which neither the success nor the bytes are known."""
    target.region.blur(target.offset, octets, what)
    return unknown(f"whether {what} could be read")


def _told(value: Value) -> str:
    return hex(value) if isinstance(value, int) else number(value).why
