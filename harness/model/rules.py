# SPDX-License-Identifier: MIT
"""The differences between kernels: the record of a release, and the rules it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from harness.model.verifier.hooks import VerifierRules
from harness.release import Release


class DivisionByZero(Enum):
    """The result of dividing by a register that holds 0."""

    ENDS_PROGRAM = auto()  # with return value 0
    HAS_RESULT = auto()  # quotient 0, remainder the dividend


class LongShift(Enum):
    """The result of shifting by a register whose value is the operand's width or more."""

    UNDEFINED = auto()  # undefined in C; the hardware takes the count modulo the width
    MODULO = auto()


class JitFault(Enum):
    """An error of a JIT; programs that depend on it are not run in that engine."""

    STACK = auto()
    """The stack of a program is below the stack pointer: helpers overwrite what is passed to them there:
    build_prologue(), arch/arm64/net/bpf_jit_comp.c of 4.1."""
    TARGET = auto()
    """A jump to the instruction after a 64 bit constant goes to the beginning of the program instead: bpf2a64_offset(),
    arch/arm64/net/bpf_jit_comp.c of 4.1."""
    DIVISOR = auto()
    """All 64 bits of a 32 bit divisor are compared with 0, and dividing by its low half, which is 0, then faults:
    do_jit(), arch/x86/net/bpf_jit_comp.c of 4.1."""


class FunctionFault(Enum):
    """An error of kernels in functions that end otherwise than by an exit. The rules leave it out: it is supposed where
    the outcome that such a kernel would give is asked for."""

    BUDGET_OF_FRAMES = auto()
    """What a function's tail calls take of the limit is given back when it returns to its caller."""
    RESULT_REMOVED = auto()
    """Behind a function that a tail call left, jumps are as the verifier decided them, which knows only what the
    function gives where its tail call fails."""
    PACKET_RESULT_REMOVED = auto()
    """Behind a function that a load from behind the packet's end left, they are so, too."""


class Keep(Enum):
    """The return values of a program that keep a hit; the value is cut to 32 bits first."""

    NON_ZERO = auto()
    BIT_0 = auto()


class Attachment(Enum):
    """The place where a trace event keeps its programs."""

    ONE = auto()  # in the trace event: whoever closes any of its perf events takes the program away
    EACH = auto()  # one for each perf event, in an array of the trace event


class AttachCheck(Enum):
    """The checks of PERF_EVENT_IOC_SET_BPF. The functions are in `harness.model.interface.attach`."""

    OCCUPIED = auto()
    TRACE_EVENT_KIND = auto()
    DESCRIPTOR = auto()
    PROGRAM_TYPE = auto()
    CONTEXT = auto()
    ROOM = auto()


class LoadCheck(Enum):
    """The checks of BPF_PROG_LOAD before the verifier. The functions are in `harness.model.interface.load`."""

    LENGTH = auto()
    CAPABILITY = auto()
    LOCKED_MEMORY = auto()
    KERNEL_VERSION = auto()
    TYPE = auto()
    EMPTY = auto()
    LOG = auto()


@dataclass(frozen=True)
class LogRule:
    """The log parameters that BPF_PROG_LOAD accepts."""

    least_size: int
    most_size: int
    levels: int
    """The bits that may be set in log_level."""
    level_alone: bool = False
    """A level needs no buffer; but buffer and size come together."""


def version(major: int, minor: int, sublevel: int) -> int:
    """Returns LINUX_VERSION_CODE."""
    return major << 16 | minor << 8 | sublevel


def dotted(version_code: int) -> str:
    """Returns a LINUX_VERSION_CODE as people write it."""
    return f"{version_code >> 16}.{version_code >> 8 & 0xFF}.{version_code & 0xFF}"


@dataclass(frozen=True)
class Backport:
    """A change that stable releases brought into an era: the last release seen without it, the first seen with it."""

    last_without: int
    first_with: int

    def in_release(self, version_code: int) -> bool | None:
        """Returns whether a release has it; None between the two."""
        if version_code >= self.first_with:
            return True
        return False if version_code <= self.last_without else None


NEVER = Backport(1 << 32, 1 << 33)
ALWAYS = Backport(-1, 0)
UNCERTAIN = Backport(-1, 1 << 33)
"""A change of which it is known for no release whether it has it."""


@dataclass(frozen=True)
class MapRules:
    """The rules of kernel/bpf/hashtab.c and arraymap.c in which releases differ. Sizes are bytes; None is no limit."""

    types: frozenset[int]
    flags: Mapping[int, int] = field(hash=False)
    """The map_flags that each type takes; all others are EINVAL. None where map_flags does not exist: its bytes are in
    the reserved tail and must be 0."""
    preallocates: bool
    """Hash maps allocate all elements beforehand (4.6, 6c9059817432); before, only the heads of their buckets."""
    lock_flag: bool
    """BPF_F_LOCK exists (5.1, 96049f3afd50): values without a lock refuse it before anything is read."""
    most_hash_key: int | None
    most_hash_value: int | None
    most_hash_element: int | None
    """The greatest size of key and value together."""
    most_hash_entries: int
    too_many_hash_entries: str
    most_array_value: int
    too_large_array_value: str
    most_array_bytes: int | None
    file_modes_last: bool
    """A map is made before it is checked that its descriptor is not both read-only and write-only."""
    array_mmap: bool
    """Array maps have an mmap(2) of their own, which refuses those made without BPF_F_MMAPABLE."""
    freezes: bool
    """BPF_MAP_FREEZE exists."""
    full_before_flags: bool
    """BPF_EXIST on an absent key of a full hash map is E2BIG, not ENOENT (MAP-34)."""
    cpu_flags: bool
    """Updates of per-CPU maps by system calls take BPF_F_CPU and BPF_F_ALL_CPUS."""
    checks_per_cpu_values: Backport
    """Values that are too large to be allocated for each CPU are E2BIG; before, allocating them failed with ENOMEM."""
    small_lru_batches: Backport
    """CPUs take free elements of an LRU map in batches of at most half their share of the map, not of 128: "bpf: Adjust
    free target to avoid global starvation of LRU map", d4adf1c9ee77 (6.16)."""


@dataclass(frozen=True)
class PrintkRules:
    """The formats that bpf_trace_printk accepts, kernel/trace/bpf_trace.c (TP-01 to TP-08)."""

    conversions: str
    """Conversion letters, each but `p` also with `l` or `ll` in front."""
    others_refused: bool
    """Any other conversion is EINVAL; else there are some that the model does not know."""
    percent: bool
    """`%%` prints a percent sign and is not counted; else it is EINVAL."""
    eight_bit: Backport
    """Bytes from 0x80 on may stand in the text."""
    hides_addresses: bool
    """%p prints a hashed number for each address, not the address; since 4.15."""
    own_line: bool
    """A text ends with a newline of its own in the trace buffer: it is an event there, since 5.9."""
    inner_nul: bool
    """Any NUL inside the size ends the format; else only the last byte may be NUL, and must be."""


OTHER_COMMAND = "another command"


@dataclass(frozen=True)
class Upstream:
    """The behaviour of kernel.org's Linux of one release, on any architecture."""

    release: Release
    """The release by which rows of `harness.isa.opcodes` exist or not."""
    latest: int
    """LINUX_VERSION_CODE of the newest kernel that the record was held against; questions that concern no kernel in
    particular are answered for it."""

    # bpf(2)
    attr_size: int
    """sizeof(union bpf_attr): what a caller passes beyond it must be zero."""
    attr_address_first: bool
    """The attribute's address is checked before its size."""
    license_first: bool
    """BPF_PROG_LOAD reads the licence before anything else; later after the instructions."""
    first_unknown_command: int
    """The first command number that is EINVAL for certain, as all after it and negative ones are."""
    grown_commands: frozenset[int]
    """Commands that use more of the union than 4.1's did, in ways the model does not know."""
    privileged_commands: frozenset[str]
    """Commands that are not for everybody, by operation of the script, and `OTHER_COMMAND`."""
    commands_ask_who_calls: bool
    """Commands check the caller's permission themselves, after they checked their attribute; else bpf(2) checks it
    first."""
    splits_admin: bool
    """There are CAP_BPF and CAP_PERFMON."""
    defaults: Mapping[str, int] = field(hash=False)
    """The values below /proc/sys unless the kernel's configuration or command line changes them."""
    charges_locked_memory: bool
    """Maps and programs count against RLIMIT_MEMLOCK."""
    program_types: frozenset[int]
    maps: MapRules

    # BPF_PROG_LOAD
    function_types: bool
    """The caller may say of which types a program's functions are."""
    load_checks: tuple[LoadCheck, ...]
    instruction_limit: int
    too_many_instructions: str
    no_instructions: str
    empty_first: bool
    """No instructions are refused together with too many of them, before anything is read."""
    log: LogRule

    program_header: int
    """The bytes of a program in front of its instructions: sizeof(struct bpf_prog), include/linux/filter.h. It was
    computed from the longest filters that sockets took."""
    option_memory: int
    """net.core.optmem_max: bytes a socket has for its filter, which must be smaller."""
    verifier: VerifierRules
    reads_unwritten_stack: Backport
    """Programs of privileged callers may read bytes of the stack that they did not write, down to the lowest slot that
    they wrote; check_stack_read_fixed_off(), kernel/bpf/verifier.c."""
    reads_below_stack: Backport
    """They may also read below that slot; check_stack_slot_within_bounds()."""
    packet_loads_end: Backport
    """The verifier follows the path on which a load from behind the packet ends a function."""
    jumps_read_first: Backport
    """For a conditional jump the verifier checks the destination before the source and the reserved fields;
    check_cond_jmp_op(), kernel/bpf/verifier.c."""

    # running programs
    division_by_zero: DivisionByZero
    long_shift: LongShift
    helpers: frozenset[int]
    """The ids of helpers that kprobe programs may call."""
    helper_limit: int
    """The first id that is no helper at all."""
    int_map_calls: frozenset[str]
    """Engines in which programs call a map's own functions, and these return an int: the upper half of the register is
    undefined."""
    counts_empty_slots: frozenset[str]
    """Engines in which tail calls into empty slots count against the limit."""
    probe_read_clears: bool
    reads_by_space: bool
    """User and kernel memory have helpers of their own, and bpf_probe_read tells them apart by the address."""
    clears_behind_name: bool
    """bpf_get_current_comm fills the rest of the buffer with zeros; kernel/bpf/helpers.c."""
    printk: PrintkRules

    # kprobes and perf events
    attachment: Attachment
    static_tracepoints: bool
    """Static tracepoints take programs, too, of a type of their own (4.7, 98b5c2c65c29)."""
    long_records: Backport
    """The record of a trace event, which programs of static tracepoints may read, has up to 8192 bytes, where it had
    2048: PERF_MAX_TRACE_SIZE, include/linux/trace_events.h."""
    attach_checks: tuple[AttachCheck, ...]
    programs_per_trace_event: int
    keep: Keep
    inherits_program: bool
    """The event a child inherits holds the program too, and takes it along when it is freed."""
    unknown_symbol: str
    """The errno of a probe on a function that does not exist."""
    recycles_trace_event_ids: bool
    output_events: bool
    """Perf events of type PERF_COUNT_SW_BPF_OUTPUT, since 4.4 (a43eec304259)."""
    first_period_runs: Backport
    """A sample period begins when a tracepoint event does; else it begins at its end, so that samples come early."""
