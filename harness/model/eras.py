"""The eras: one record of constants and switches for each kernel generation.

What never changed is code shared by all eras. Sources are files of the release named; a rule says so where running
kernels were what taught it.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from harness.abi.bpf import MapFlag
from harness.isa.opcodes import Helper
from harness.model.rules import (
    ALWAYS,
    NEVER,
    OTHER_COMMAND,
    AttachCheck,
    Attachment,
    Backport,
    DivisionByZero,
    Era,
    JitFault,
    Keep,
    LoadCheck,
    LogRule,
    LongShift,
    MapRules,
    PrintkRules,
    version,
)
from harness.script.operations import MapType, ProgramType
from hil.errors import UserError

_4_1_HELPERS = frozenset(range(1, 7))
# Of later releases, what Debian's kernels do not call unknown to a kprobe program (both architectures).
_5_10_HELPERS = _4_1_HELPERS | {
    *(7, 8, 12, 14, 15, 16, 22, 25, 27, 35, 36, 37, 42, 45, 55, 67, 80, 87, 88, 89, 109, *range(112, 116)),
    *(117, 118, 120, 125, *range(130, 135), 141, 149, 153, 154),
}
_6_1_HELPERS = _5_10_HELPERS | {
    *(93, 94, 105, 106, 123, 148, 156, 157, 158, 164, 165, *range(169, 178), 180, 181, 182, 191, 194, 195),
    *(*range(197, 204), 208, 209),
}

_FILE = MapFlag.RDONLY | MapFlag.WRONLY
_ACCESS = _FILE | MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG  # BPF_F_ACCESS_MASK
_HASH = MapFlag.NO_PREALLOC | MapFlag.ZERO_SEED | _ACCESS
_LRU = _HASH | MapFlag.NO_COMMON_LRU
_5_10_MAP_FLAGS: dict[int, int] = {
    # kernel/bpf/hashtab.c: HTAB_CREATE_FLAG_MASK, htab_map_alloc_check()
    MapType.HASH: _HASH | MapFlag.NUMA_NODE,
    MapType.PERCPU_HASH: _HASH,
    MapType.LRU_HASH: _LRU | MapFlag.NUMA_NODE,
    MapType.LRU_PERCPU_HASH: _LRU,
    # kernel/bpf/arraymap.c: ARRAY_CREATE_FLAG_MASK, array_map_alloc_check(), fd_array_map_alloc_check()
    MapType.ARRAY: MapFlag.NUMA_NODE | MapFlag.MMAPABLE | MapFlag.INNER_MAP | _ACCESS,
    MapType.PERCPU_ARRAY: _ACCESS,
    MapType.PROG_ARRAY: MapFlag.NUMA_NODE | _FILE,
    MapType.PERF_EVENT_ARRAY: MapFlag.NUMA_NODE | MapFlag.PRESERVE_ELEMS | _FILE,
    # kernel/bpf/stackmap.c: STACK_CREATE_FLAG_MASK; kernel/bpf/ringbuf.c: RINGBUF_CREATE_FLAG_MASK
    MapType.STACK_TRACE: MapFlag.NUMA_NODE | MapFlag.STACK_BUILD_ID | _FILE,
    MapType.RINGBUF: MapFlag.NUMA_NODE,
}

SETTINGS = {
    "kernel/perf_event_paranoid": 1,
    "kernel/perf_event_mlock_kb": 516,
    "kernel/perf_event_max_sample_rate": 100_000,
    "kernel/kptr_restrict": 0,
}
DEBIAN_SETTINGS = {**SETTINGS, "kernel/perf_event_paranoid": 3, "kernel/unprivileged_bpf_disabled": 2}

LINUX_4_1 = Era(
    name="4.1",
    release=(4, 1),
    latest=version(4, 1, 52),
    attr_size=48,
    attr_address_first=True,  # sys_bpf(): access_ok() of one byte
    license_first=True,
    first_unknown_command=6,  # enum bpf_cmd
    grown_commands=frozenset(),
    # kernel/bpf/syscall.c: sys_bpf() starts with capable(CAP_SYS_ADMIN)
    privileged_commands=frozenset(
        {"CreateMap", "LookupElement", "UpdateElement", "DeleteElement", "NextKey", "LoadProgram", OTHER_COMMAND}
    ),
    commands_ask_who_calls=False,
    splits_admin=False,
    settings=MappingProxyType(SETTINGS),
    charges_locked_memory=False,  # since 4.4: aaac3ba95e4c, "bpf: charge user for creation of BPF maps and programs"
    program_types=frozenset(
        {ProgramType.SOCKET_FILTER, ProgramType.KPROBE, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT}
    ),
    maps=MapRules(
        types=frozenset({MapType.HASH, MapType.ARRAY}),
        flags=MappingProxyType({}),
        preallocates=False,
        lock_flag=False,
        # htab_map_alloc(): MAX_BPF_STACK, and bucket heads of 8 bytes counted in 32 bits (MAP-03 to MAP-06)
        most_hash_key=512,
        most_hash_value=None,
        most_hash_element=None,
        most_hash_entries=1 << 28,
        too_many_hash_entries="ENOMEM",
        # array_map_alloc(): sizes in 32 bits, behind a header of 72 bytes (MAP-09, MAP-10)
        most_array_value=0xFFFFFFF8,
        too_large_array_value="ENOMEM",
        most_array_bytes=0xFFFFFFFF - 72,
        file_modes_last=False,
        array_mmap=False,
        full_before_flags=True,  # htab_map_update_elem()
        cpu_flags=False,
        checks_per_cpu_values=NEVER,  # and no per-CPU maps either
        small_lru_batches=NEVER,  # and no LRU maps either
    ),
    # kernel/bpf/syscall.c: bpf_prog_load(); kernel/bpf/verifier.c: bpf_check() (LOAD-01)
    load_checks=(LoadCheck.LENGTH, LoadCheck.KERNEL_VERSION, LoadCheck.TYPE, LoadCheck.EMPTY, LoadCheck.LOG),
    instruction_limit=4095,  # insn_cnt >= BPF_MAXINSNS is refused
    too_many_instructions="EINVAL",
    no_instructions="E2BIG",
    empty_first=False,  # bpf_check(), after licence and instructions were read
    log=LogRule(least_size=128, most_size=0xFFFFFF, levels=0xFFFFFFFF),  # bpf_check(): log_size > UINT_MAX >> 8
    # kernel/bpf/core.c: __bpf_prog_run()
    division_by_zero=DivisionByZero.ENDS_PROGRAM,
    long_shift=LongShift.UNDEFINED,
    # kernel/trace/bpf_trace.c: kprobe_prog_func_proto()
    helpers=_4_1_HELPERS,
    helper_limit=12,
    jit_helpers=frozenset(),
    int_map_calls=frozenset(),
    counts_empty_slots=frozenset(),  # and no tail calls either
    probe_read_clears=False,  # PR-05
    reads_by_space=False,
    kernel_reads_checked=frozenset(),
    # arch/arm64/net/bpf_jit_comp.c: mended in 4.4 ("arm64: bpf: fix JIT frame pointer setup", Yang Shi, November 2015)
    # and 4.12 ("bpf, arm64: fix jit branch offset related to ldimm64", Daniel Borkmann, May 2017);
    # arch/x86/net/bpf_jit_comp.c: in 4.15 (68fda450a7df, "bpf: fix 32-bit divide by zero")
    jit_faults=frozenset({("arm64", JitFault.STACK), ("arm64", JitFault.TARGET), ("x86_64", JitFault.DIVISOR)}),
    clears_behind_name=True,
    gpl_clock=True,
    printk=PrintkRules(
        "duxp",
        others_refused=True,
        percent=False,
        eight_bit=False,
        inner_nul=False,
        hides_addresses=False,
        own_line=False,
    ),
    kprobes=frozenset({"x86_64"}),  # LOAD-13: arm64 got kprobes in 4.8
    ibt=frozenset(),
    # kernel/events/core.c: perf_event_set_bpf_prog(), perf_event_free_bpf_prog()
    attachment=Attachment.ONE,
    static_tracepoints=False,
    attach_checks=(
        AttachCheck.OCCUPIED,
        AttachCheck.TRACE_EVENT_KIND,
        AttachCheck.DESCRIPTOR,
        AttachCheck.PROGRAM_TYPE,
    ),
    programs_per_trace_event=1,
    keep=Keep.NON_ZERO,  # kernel/trace/trace_kprobe.c: `if (prog && !trace_call_bpf(prog, regs)) return`
    paranoid_any=1 << 31,
    inherits_program=False,
    unknown_symbol="ENOENT",
    recycles_trace_event_ids=False,
    output_events=False,
    first_period_runs=NEVER,  # perf_trace_add() never calls perf_swevent_set_period(); seen on 4.1.52
)

LINUX_5_10 = replace(
    LINUX_4_1,
    name="5.10",
    release=(5, 10),
    latest=version(5, 10, 255),  # of 5.10.262: the last number ends at 255, Makefile
    attr_size=120,
    attr_address_first=False,  # bpf_check_uarg_tail_zero()
    first_unknown_command=1000,  # enum bpf_cmd grows by backports; no release is near this
    # BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_PROG_LOAD; include/uapi/linux/bpf.h: union bpf_attr
    grown_commands=frozenset({0, 1, 5}),
    splits_admin=True,  # 5.8
    settings=MappingProxyType(DEBIAN_SETTINGS),
    charges_locked_memory=True,
    program_types=frozenset(range(1, 31)),
    maps=MapRules(
        types=frozenset(range(1, 28)),
        flags=MappingProxyType(_5_10_MAP_FLAGS),
        preallocates=True,
        lock_flag=True,
        most_hash_key=512,
        # htab_map_alloc_check(): less than KMALLOC_MAX_SIZE - MAX_BPF_STACK - sizeof(struct htab_elem)
        most_hash_value=(4 << 20) - 512 - 48 - 1,
        most_hash_element=None,
        most_hash_entries=1 << 27,  # htab_map_alloc(): buckets of 16 bytes counted in 32 bits
        too_many_hash_entries="E2BIG",
        most_array_value=4 << 20,
        too_large_array_value="E2BIG",
        most_array_bytes=None,
        file_modes_last=False,
        array_mmap=True,  # 5.5
        full_before_flags=False,  # check_flags() comes before alloc_htab_elem()
        cpu_flags=False,
        checks_per_cpu_values=Backport(version(5, 10, 223), version(5, 10, 255)),  # seen on 5.10.223 and 5.10.262
        small_lru_batches=NEVER,
    ),
    load_checks=(
        LoadCheck.LENGTH,
        LoadCheck.EMPTY,
        LoadCheck.CAPABILITY,
        LoadCheck.LOCKED_MEMORY,
        LoadCheck.TYPE,
        LoadCheck.LOG,
    ),  # kern_version is not looked at since 5.0
    instruction_limit=1_000_000,
    too_many_instructions="E2BIG",
    empty_first=True,  # bpf_prog_load(): one condition with the limit
    log=LogRule(least_size=128, most_size=(1 << 30) - 1, levels=7),
    division_by_zero=DivisionByZero.HAS_RESULT,
    long_shift=LongShift.MODULO,
    helpers=_5_10_HELPERS,
    helper_limit=156,
    # kernel/bpf/verifier.c: do_misc_fixups() (fixup_bpf_calls() in 5.10) replaces the helper when a JIT was asked for
    int_map_calls=frozenset({"jit"}),
    counts_empty_slots=frozenset({"interp", "jit"}),
    probe_read_clears=True,
    reads_by_space=True,
    kernel_reads_checked=frozenset({"x86_64"}),  # arch/x86/mm/maccess.c; arm64 has no check up to 7.2.13
    jit_faults=frozenset(),
    gpl_clock=False,
    printk=PrintkRules(
        "duxpi",
        others_refused=False,
        percent=False,
        eight_bit=False,
        inner_nul=False,
        hides_addresses=True,
        own_line=True,
    ),
    kprobes=frozenset({"x86_64", "arm64"}),
    # kernel/trace/bpf_trace.c: perf_event_attach_bpf_prog(), trace_call_bpf()
    attachment=Attachment.EACH,
    static_tracepoints=True,
    attach_checks=(
        AttachCheck.TRACE_EVENT_KIND,
        AttachCheck.DESCRIPTOR,
        AttachCheck.PROGRAM_TYPE,
        AttachCheck.OCCUPIED,
        AttachCheck.ROOM,
    ),
    programs_per_trace_event=64,  # BPF_TRACE_MAX_PROGS
    keep=Keep.BIT_0,  # RUN-41: `ret &= prog(ctx)`, beginning with 1
    paranoid_any=3,  # Debian: "security,perf: Allow further restriction of perf_event_open"
    recycles_trace_event_ids=True,
    output_events=True,
    first_period_runs=Backport(version(5, 10, 223), version(5, 10, 255)),  # seen on 5.10.223 and 5.10.262
)

LINUX_6_1 = replace(
    LINUX_5_10,
    name="6.1",
    release=(6, 1),
    latest=version(6, 1, 192),
    attr_size=144,
    privileged_commands=frozenset({"CreateMap", "LoadProgram"}),
    charges_locked_memory=False,  # since 5.11 memory cgroups count it: 755e5d55367a
    program_types=frozenset(range(1, 32)),
    maps=replace(
        LINUX_5_10.maps,
        types=frozenset(range(1, 32)),
        most_hash_key=None,
        most_hash_value=None,
        most_hash_element=(4 << 20) - 48 - 1,  # the key counts now, and no stack
        most_array_value=(1 << 31) - 1,
        checks_per_cpu_values=Backport(0, version(6, 1, 192)),
    ),
    helpers=_6_1_HELPERS,
    first_period_runs=Backport(0, version(6, 1, 192)),
    clears_behind_name=False,  # strscpy(); seen on 6.1.192
    helper_limit=210,
    printk=PrintkRules(
        "duxpiX",
        others_refused=False,
        percent=True,
        eight_bit=True,
        inner_nul=True,
        hides_addresses=True,
        own_line=True,
    ),
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
    commands_ask_who_calls=True,  # map_create(), bpf_prog_load()
    clears_behind_name=True,  # 6.4: f3f213497797, "bpf: ensure all memory is initialized in bpf_get_current_comm"
    inherits_program=True,  # kernel/events/core.c: perf_event_alloc()
    counts_empty_slots=frozenset({"interp"}),  # seen on 6.12.117, whose JITs look into the slot first
    int_map_calls=frozenset(),  # since 6.4 they return a long: d7ba4cc900bf, "bpf: return long from bpf_map_ops funcs"
    release=(6, 12),
    latest=version(6, 12, 118),
    attr_size=152,
    license_first=False,
    program_types=frozenset(range(1, 33)),  # NETFILTER came with 6.4
    maps=replace(
        LINUX_6_1.maps,
        types=frozenset(range(1, 34)),
        checks_per_cpu_values=Backport(0, version(6, 12, 117)),
        small_lru_batches=Backport(0, version(6, 12, 117)),
    ),
    # kernel/bpf/log.c: bpf_vlog_init()
    log=LogRule(least_size=1, most_size=(1 << 30) - 1, levels=15, level_alone=True),
    helpers=_6_1_HELPERS | {210, 211},
    helper_limit=212,
    unknown_symbol="EINVAL",  # seen on 6.12.117
    first_period_runs=Backport(0, version(6, 12, 117)),
    ibt=frozenset({"x86_64"}),  # Debian: CONFIG_X86_KERNEL_IBT=y (REG-02)
)

LINUX_7_2 = replace(
    LINUX_6_12,
    name="7.2",
    release=(7, 2),
    latest=version(7, 2, 13),
    attr_size=168,
    maps=replace(
        LINUX_6_12.maps,
        flags=MappingProxyType({**_5_10_MAP_FLAGS, MapType.RINGBUF: MapFlag.NUMA_NODE | MapFlag.RB_OVERWRITE}),  # 6.19
        file_modes_last=True,  # seen on 7.2.13
        cpu_flags=True,
        checks_per_cpu_values=ALWAYS,
        small_lru_batches=ALWAYS,
    ),
    helpers=LINUX_6_12.helpers | {17},
    counts_empty_slots=frozenset(),  # seen on 7.2.13
    first_period_runs=ALWAYS,
    # arch/arm64/net/bpf_jit_comp.c: bpf_jit_inlines_helper_call(); the interpreter refuses them, seen on 7.2.13, and
    # did not on 6.12.117. 158 is bpf_get_current_task_btf.
    jit_helpers=frozenset({("arm64", Helper.GET_SMP_PROCESSOR_ID), ("arm64", Helper.GET_CURRENT_TASK), ("arm64", 158)}),
)

ERAS: dict[str, Era] = {era.name: era for era in (LINUX_4_1, LINUX_5_10, LINUX_6_1, LINUX_6_12, LINUX_7_2)}
"""Every era by the name the catalogue of kernels uses."""


def era(name: str) -> Era:
    """The era called `name`; UserError when there is none."""
    try:
        return ERAS[name]
    except KeyError:
        raise UserError(f"unknown era {name!r}", remedy=f"choose one of: {', '.join(ERAS)}") from None
