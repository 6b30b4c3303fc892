"""Eras: the rules of one kernel generation, as one record of constants and switches.

What never changed is code shared by all eras. Sources are files of the release named; where a rule was only read and
not seen on a running kernel, the record says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from harness.isa.opcodes import Release
from harness.script.operations import MapType, ProgramType
from hil.errors import UserError


class DivisionByZero(Enum):
    """What dividing by a register that holds 0 does."""

    ENDS_PROGRAM = auto()  # with return value 0
    HAS_RESULT = auto()  # quotient 0, remainder the dividend


class LongShift(Enum):
    """What shifting by a register does whose value is the operand's width or more."""

    UNDEFINED = auto()  # undefined in C; the hardware takes the count modulo the width
    MODULO = auto()


class Keep(Enum):
    """Which return values of a program keep a hit; the value is cut to 32 bits first."""

    NON_ZERO = auto()
    BIT_0 = auto()


class Attachment(Enum):
    """Where a trace event keeps its programs."""

    ONE = auto()  # in the trace event: whoever closes any of its perf events takes the program away
    EACH = auto()  # one for each perf event, in an array of the trace event


class AttachCheck(Enum):
    """What PERF_EVENT_IOC_SET_BPF looks at. The functions are in `harness.model.interface.attach`."""

    OCCUPIED = auto()
    TRACE_EVENT_KIND = auto()
    DESCRIPTOR = auto()
    PROGRAM_TYPE = auto()
    ROOM = auto()


class LoadCheck(Enum):
    """What BPF_PROG_LOAD looks at before the verifier. The functions are in `harness.model.interface.load`."""

    LENGTH = auto()
    KERNEL_VERSION = auto()
    TYPE = auto()
    EMPTY = auto()
    LOG = auto()


@dataclass(frozen=True)
class LogRule:
    """Which log parameters BPF_PROG_LOAD takes."""

    least_size: int
    most_size: int
    levels: int
    """The bits that may be set in log_level."""


@dataclass(frozen=True)
class MapRules:
    """Where versions of kernel/bpf/hashtab.c and arraymap.c differ to the eye. Sizes are bytes; None is no limit."""

    types: frozenset[int]
    has_flags: bool
    """map_flags exists; before, its bytes were in the reserved tail and had to be 0."""
    most_hash_key: int | None
    most_hash_element: int | None
    most_hash_entries: int
    too_many_hash_entries: str
    most_array_value: int
    too_large_array_value: str
    most_array_bytes: int | None
    array_mmap: bool
    """Array maps have an mmap(2) of their own, which refuses those made without BPF_F_MMAPABLE."""
    full_before_flags: bool
    """BPF_EXIST on an absent key of a full hash map is E2BIG, not ENOENT (MAP-34)."""


def version(major: int, minor: int, sublevel: int) -> int:
    """LINUX_VERSION_CODE."""
    return major << 16 | minor << 8 | sublevel


@dataclass(frozen=True)
class Backport:
    """A change that stable releases brought into an era: the last release seen without it, the first seen with it."""

    last_without: int
    first_with: int

    def in_release(self, version_code: int) -> bool | None:
        """Whether a release has it; None between the two."""
        if version_code >= self.first_with:
            return True
        return False if version_code <= self.last_without else None


NEVER = Backport(1 << 32, 1 << 33)
ALWAYS = Backport(-1, 0)


@dataclass(frozen=True)
class PrintkRules:
    """Which formats bpf_trace_printk takes, kernel/trace/bpf_trace.c (TP-01 to TP-08)."""

    conversions: str
    """Letters, each but `p` also with `l` or `ll` in front."""
    others_refused: bool
    """Any other conversion is EINVAL; else there are some that the model does not know."""
    percent: bool
    """`%%` prints a percent sign and is not counted; else it is EINVAL."""
    eight_bit: bool
    """Bytes from 0x80 on may stand in the text."""
    inner_nul: bool
    """Any NUL inside the size ends the format; else only the last byte may be NUL, and must be."""


@dataclass(frozen=True)
class Era:
    """One kernel generation. `kprobes` and `ibt` are architectures."""

    name: str
    release: Release
    """Which rows of `harness.isa.opcodes` exist."""

    # bpf(2)
    privileged_commands: frozenset[str]
    """Commands that need CAP_SYS_ADMIN, by operation of the script."""
    program_types: frozenset[int]
    maps: MapRules

    # BPF_PROG_LOAD
    load_checks: tuple[LoadCheck, ...]
    instruction_limit: int
    too_many_instructions: str
    no_instructions: str
    log: LogRule

    # running programs
    division_by_zero: DivisionByZero
    long_shift: LongShift
    helpers: frozenset[int]
    """Ids that kprobe programs may call."""
    helper_limit: int
    """The first id that is no helper at all."""
    probe_read_clears: bool
    reads_by_space: bool
    """User and kernel memory have helpers of their own, and bpf_probe_read tells them apart by the address."""
    kernel_reads_checked: frozenset[str]
    """Architectures whose kernel reads refuse an address that is not the kernel's."""
    gpl_clock: bool
    """bpf_ktime_get_ns is for GPL programs only; until 5.8 (082b57e3eb09)."""
    printk: PrintkRules

    # kprobes and perf events
    kprobes: frozenset[str]
    ibt: frozenset[str]
    """Architectures whose distribution kernels put a landing pad before the probed instruction (if the CPU has it)."""
    attachment: Attachment
    attach_checks: tuple[AttachCheck, ...]
    programs_per_trace_event: int
    keep: Keep
    unprivileged_event: str
    """The errno of perf_event_open(2) with a raw sample for a caller without privileges."""
    unknown_symbol: str
    """The errno of a probe on a function there is not."""
    recycles_trace_event_ids: bool
    first_period_runs: Backport
    """A sample period begins when a tracepoint event does; else it begins at its end, so that samples come early."""


_4_1_HELPERS = frozenset(range(1, 7))

LINUX_4_1 = Era(
    name="4.1",
    release=(4, 1),
    # kernel/bpf/syscall.c: sys_bpf() starts with capable(CAP_SYS_ADMIN)
    privileged_commands=frozenset(
        {"CreateMap", "LookupElement", "UpdateElement", "DeleteElement", "NextKey", "LoadProgram"}
    ),
    program_types=frozenset(
        {ProgramType.SOCKET_FILTER, ProgramType.KPROBE, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT}
    ),
    maps=MapRules(
        types=frozenset({MapType.HASH, MapType.ARRAY}),
        has_flags=False,
        # htab_map_alloc(): MAX_BPF_STACK, and bucket heads of 8 bytes counted in 32 bits (MAP-03 to MAP-06)
        most_hash_key=512,
        most_hash_element=None,
        most_hash_entries=1 << 28,
        too_many_hash_entries="ENOMEM",
        # array_map_alloc(): sizes in 32 bits, behind a header of 72 bytes (MAP-09, MAP-10)
        most_array_value=0xFFFFFFF8,
        too_large_array_value="ENOMEM",
        most_array_bytes=0xFFFFFFFF - 72,
        array_mmap=False,
        full_before_flags=True,  # htab_map_update_elem()
    ),
    # kernel/bpf/syscall.c: bpf_prog_load(); kernel/bpf/verifier.c: bpf_check() (LOAD-01)
    load_checks=(LoadCheck.LENGTH, LoadCheck.KERNEL_VERSION, LoadCheck.TYPE, LoadCheck.EMPTY, LoadCheck.LOG),
    instruction_limit=4095,  # insn_cnt >= BPF_MAXINSNS is refused
    too_many_instructions="EINVAL",
    no_instructions="E2BIG",
    log=LogRule(least_size=128, most_size=0xFFFFFF, levels=0xFFFFFFFF),  # bpf_check(): log_size > UINT_MAX >> 8
    # kernel/bpf/core.c: __bpf_prog_run()
    division_by_zero=DivisionByZero.ENDS_PROGRAM,
    long_shift=LongShift.UNDEFINED,
    # kernel/trace/bpf_trace.c: kprobe_prog_func_proto()
    helpers=_4_1_HELPERS,
    helper_limit=12,
    probe_read_clears=False,  # PR-05
    reads_by_space=False,
    kernel_reads_checked=frozenset(),
    gpl_clock=True,
    printk=PrintkRules("duxp", others_refused=True, percent=False, eight_bit=False, inner_nul=False),
    kprobes=frozenset({"x86_64"}),  # LOAD-13: arm64 got kprobes in 4.8
    ibt=frozenset(),
    # kernel/events/core.c: perf_event_set_bpf_prog(), perf_event_free_bpf_prog()
    attachment=Attachment.ONE,
    attach_checks=(
        AttachCheck.OCCUPIED,
        AttachCheck.TRACE_EVENT_KIND,
        AttachCheck.DESCRIPTOR,
        AttachCheck.PROGRAM_TYPE,
    ),
    programs_per_trace_event=1,
    keep=Keep.NON_ZERO,  # kernel/trace/trace_kprobe.c: `if (prog && !trace_call_bpf(prog, regs)) return`
    unprivileged_event="EPERM",  # kernel/trace/trace_event_perf.c: raw samples, perf_event_paranoid 1
    unknown_symbol="ENOENT",
    recycles_trace_event_ids=False,
    first_period_runs=NEVER,  # perf_trace_add() never calls perf_swevent_set_period(); seen on 4.1.52
)

LINUX_5_10 = replace(
    LINUX_4_1,
    name="5.10",
    release=(5, 10),
    program_types=frozenset(range(1, 31)),
    maps=MapRules(
        types=frozenset(range(1, 28)),
        has_flags=True,
        most_hash_key=512,
        most_hash_element=4 << 20,  # KMALLOC_MAX_SIZE, less a header
        most_hash_entries=1 << 27,  # htab_map_alloc(): buckets of 16 bytes counted in 32 bits
        too_many_hash_entries="E2BIG",
        most_array_value=4 << 20,
        too_large_array_value="E2BIG",
        most_array_bytes=None,
        array_mmap=True,  # 5.5
        full_before_flags=False,  # check_flags() comes before alloc_htab_elem()
    ),
    load_checks=(
        LoadCheck.LENGTH,
        LoadCheck.EMPTY,
        LoadCheck.TYPE,
        LoadCheck.LOG,
    ),  # kern_version is not looked at since 5.0
    instruction_limit=1_000_000,
    too_many_instructions="E2BIG",
    log=LogRule(least_size=128, most_size=(1 << 30) - 1, levels=7),
    division_by_zero=DivisionByZero.HAS_RESULT,
    long_shift=LongShift.MODULO,
    helpers=_4_1_HELPERS | {7, 8, 12, 14, 15, 16, 22, 25, 27, 35, 36, 45, 67, 80, *range(112, 116), *range(130, 135)},
    helper_limit=156,
    probe_read_clears=True,
    reads_by_space=True,
    kernel_reads_checked=frozenset({"x86_64"}),  # arch/x86/mm/maccess.c; arm64 has no check up to 7.2.13
    gpl_clock=False,
    printk=PrintkRules("duxpi", others_refused=False, percent=False, eight_bit=False, inner_nul=False),
    kprobes=frozenset({"x86_64", "arm64"}),
    # kernel/trace/bpf_trace.c: perf_event_attach_bpf_prog(), trace_call_bpf()
    attachment=Attachment.EACH,
    attach_checks=(
        AttachCheck.TRACE_EVENT_KIND,
        AttachCheck.DESCRIPTOR,
        AttachCheck.PROGRAM_TYPE,
        AttachCheck.OCCUPIED,
        AttachCheck.ROOM,
    ),
    programs_per_trace_event=64,  # BPF_TRACE_MAX_PROGS
    keep=Keep.BIT_0,  # RUN-41: `ret &= prog(ctx)`, beginning with 1
    unprivileged_event="EACCES",  # Debian: perf_event_paranoid 3
    recycles_trace_event_ids=True,
    first_period_runs=Backport(version(5, 10, 223), version(5, 10, 255)),  # seen on 5.10.223 and 5.10.262
)

LINUX_6_1 = replace(
    LINUX_5_10,
    name="6.1",
    release=(6, 1),
    privileged_commands=frozenset({"CreateMap", "LoadProgram"}),
    program_types=frozenset(range(1, 33)),
    maps=replace(LINUX_5_10.maps, types=frozenset(range(1, 32)), most_hash_key=None, most_array_value=(1 << 31) - 1),
    helpers=LINUX_5_10.helpers | {173, 174},
    first_period_runs=Backport(0, version(6, 1, 192)),
    helper_limit=210,
    printk=PrintkRules("duxpiX", others_refused=False, percent=True, eight_bit=True, inner_nul=True),
    # kernel/events/core.c: _perf_ioctl() resolves the descriptor first (ATTACH-04)
    attach_checks=(
        AttachCheck.DESCRIPTOR,
        AttachCheck.TRACE_EVENT_KIND,
        AttachCheck.PROGRAM_TYPE,
        AttachCheck.OCCUPIED,
        AttachCheck.ROOM,
    ),
)

LINUX_6_12 = replace(
    LINUX_6_1,
    name="6.12",
    release=(6, 12),
    program_types=frozenset(range(1, 33)),
    maps=replace(LINUX_6_1.maps, types=frozenset(range(1, 34))),
    log=LogRule(least_size=1, most_size=(1 << 30) - 1, levels=15),  # kernel/bpf/log.c: bpf_vlog_init()
    helper_limit=212,
    unknown_symbol="EINVAL",  # seen on 6.12.117
    first_period_runs=Backport(0, version(6, 12, 117)),
    ibt=frozenset({"x86_64"}),  # Debian: CONFIG_X86_KERNEL_IBT=y (REG-02)
)

LINUX_7_2 = replace(LINUX_6_12, name="7.2", release=(7, 2), first_period_runs=ALWAYS)

ERAS: dict[str, Era] = {era.name: era for era in (LINUX_4_1, LINUX_5_10, LINUX_6_1, LINUX_6_12, LINUX_7_2)}
"""Every era by the name the catalogue of kernels uses."""


def era(name: str) -> Era:
    """The era called `name`; UserError when there is none."""
    try:
        return ERAS[name]
    except KeyError:
        raise UserError(f"unknown era {name!r}", remedy=f"choose one of: {', '.join(ERAS)}") from None
