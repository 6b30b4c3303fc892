# SPDX-License-Identifier: MIT
"""Linux 4.1, the first release with BPF programs on kprobes. Sources are files of 4.1.52."""

from __future__ import annotations

from types import MappingProxyType

from harness.model.rules import (
    NEVER,
    OTHER_COMMAND,
    AttachCheck,
    Attachment,
    DivisionByZero,
    Keep,
    LoadCheck,
    LogRule,
    LongShift,
    MapRules,
    PrintkRules,
    Upstream,
    version,
)
from harness.model.verifier.linux_4_1 import VERIFIER
from harness.script.operations import MapType, ProgramType

DEFAULTS = {
    "kernel/perf_event_paranoid": 1,
    "kernel/perf_event_mlock_kb": 516,
    "kernel/perf_event_max_sample_rate": 100_000,
    "kernel/kptr_restrict": 0,
}

LINUX_4_1 = Upstream(
    release=(4, 1),
    latest=version(4, 1, 52),
    attr_size=48,
    attr_address_first=True,  # sys_bpf(): access_ok() of one byte
    license_first=True,
    first_unknown_command=6,  # enum bpf_cmd
    grown_commands=frozenset(),
    # kernel/bpf/syscall.c: sys_bpf() starts with capable(CAP_SYS_ADMIN)
    privileged_commands=frozenset(
        {"CreateMap", "LookupElement", "UpdateElement", "DeleteElement", "GetNextKey", "LoadProgram", OTHER_COMMAND}
    ),
    commands_ask_who_calls=False,
    splits_admin=False,
    defaults=MappingProxyType(DEFAULTS),
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
        freezes=False,
        full_before_flags=True,  # htab_map_update_elem()
        cpu_flags=False,
        checks_per_cpu_values=NEVER,  # and no per-CPU maps either
        small_lru_batches=NEVER,  # and no LRU maps either
    ),
    # kernel/bpf/syscall.c: bpf_prog_load(); kernel/bpf/verifier.c: bpf_check() (LOAD-01)
    function_types=False,
    load_checks=(LoadCheck.LENGTH, LoadCheck.KERNEL_VERSION, LoadCheck.TYPE, LoadCheck.EMPTY, LoadCheck.LOG),
    instruction_limit=4095,  # insn_cnt >= BPF_MAXINSNS is refused
    too_many_instructions="EINVAL",
    no_instructions="E2BIG",
    empty_first=False,  # bpf_check(), after licence and instructions were read
    log=LogRule(least_size=128, most_size=0xFFFFFF, levels=0xFFFFFFFF),  # bpf_check(): log_size > UINT_MAX >> 8
    program_header=40,
    option_memory=20480,  # net/core/sock.c
    verifier=VERIFIER,
    reads_unwritten_stack=NEVER,
    reads_below_stack=NEVER,
    packet_loads_end=NEVER,
    jumps_read_first=NEVER,
    # kernel/bpf/core.c: __bpf_prog_run()
    division_by_zero=DivisionByZero.ENDS_PROGRAM,
    long_shift=LongShift.UNDEFINED,
    # kernel/trace/bpf_trace.c: kprobe_prog_func_proto()
    helpers=frozenset(range(1, 7)),
    helper_limit=12,
    int_map_calls=frozenset(),
    counts_empty_slots=frozenset(),  # and no tail calls either
    probe_read_clears=False,  # kernel/trace/bpf_trace.c: bpf_probe_read()
    reads_by_space=False,
    clears_behind_name=True,
    printk=PrintkRules(
        "duxp",
        others_refused=True,
        percent=False,
        eight_bit=NEVER,
        inner_nul=False,
        hides_addresses=False,
        own_line=False,
    ),
    # kernel/events/core.c: perf_event_set_bpf_prog(), perf_event_free_bpf_prog()
    attachment=Attachment.ONE,
    static_tracepoints=False,
    long_records=NEVER,
    attach_checks=(
        AttachCheck.OCCUPIED,
        AttachCheck.TRACE_EVENT_KIND,
        AttachCheck.DESCRIPTOR,
        AttachCheck.PROGRAM_TYPE,
    ),
    programs_per_trace_event=1,
    keep=Keep.NON_ZERO,  # kernel/trace/trace_kprobe.c: `if (prog && !trace_call_bpf(prog, regs)) return`
    inherits_program=False,
    unknown_symbol="ENOENT",
    recycles_trace_event_ids=False,
    output_events=False,
    first_period_runs=NEVER,  # perf_trace_add() never calls perf_swevent_set_period(); seen on 4.1.52
)
