# SPDX-License-Identifier: MIT
"""Permission checks: capabilities, file modes, and the settings and limits of callers without a capability.

Where CAP_BPF and CAP_PERFMON exist, they are parts of CAP_SYS_ADMIN, which is still enough for everything.
"""

from __future__ import annotations

from harness.abi.bpf import MapFlag
from harness.abi.capabilities import Capability
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump
from harness.model.errno import Errno
from harness.model.interface.kernel import Kernel
from harness.model.interface.task import Task
from harness.model.maps import Map
from harness.model.maps.limits import check_file_modes
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, LoadProgram, MapType, ProgramType
from harness.script.reason import Gap

TRACING = frozenset({ProgramType.KPROBE, ProgramType.TRACEPOINT, ProgramType.PERF_EVENT})
NETWORK = frozenset({ProgramType.SCHED_CLS, ProgramType.SCHED_ACT, ProgramType.XDP})
"""is_perfmon_prog_type(), is_net_admin_prog_type(); kernel/bpf/syscall.c."""
PARANOID = "kernel/perf_event_paranoid"
UNPRIVILEGED_BPF = "kernel/unprivileged_bpf_disabled"
MLOCK = "kernel/perf_event_mlock_kb"
"""The pages of rings that every user may lock for each CPU."""
MOST_CERTAIN_PAGES = 1024
FEW_INSTRUCTIONS = 4096
"""BPF_MAXINSNS, the limit for callers without CAP_BPF."""
HARMLESS = frozenset({0xB4, 0xB7, Class.JMP | Jump.EXIT})
"""Moves of constants, and exit: instructions that no verifier refuses."""


def bpf_capable(kernel: Kernel) -> bool:
    """bpf_capable(), include/linux/capability.h; before 5.8 capable(CAP_SYS_ADMIN)."""
    return _split_admin(kernel, Capability.BPF)


def perfmon_capable(kernel: Kernel) -> bool:
    """perfmon_capable(), likewise."""
    return _split_admin(kernel, Capability.PERFMON)


def _split_admin(kernel: Kernel, part: Capability) -> bool:
    return kernel.task.capable(Capability.SYS_ADMIN) or (kernel.rules.splits_admin and kernel.task.capable(part))


# tracefs


def tracing_files(kernel: Kernel) -> None:
    """Raises EACCES for everybody but root: the directory has mode 0700, and nothing behind it asks for a
    capability."""
    if kernel.task.user != 0 and not kernel.task.capable(Capability.DAC_OVERRIDE):
        raise Errno("EACCES")


# bpf(2)


def entry(kernel: Kernel, name: str) -> None:
    """Raises EPERM (SYS-01) where bpf(2) itself checks, before anything else. `name` is that of the script's
    operation."""
    if not kernel.rules.commands_ask_who_calls:
        _use_bpf(kernel, name)


def command(kernel: Kernel, name: str) -> None:
    """Raises EPERM where the command checks."""
    if kernel.rules.commands_ask_who_calls:
        _use_bpf(kernel, name)


def _use_bpf(kernel: Kernel, name: str) -> None:
    """Raises EPERM for the unprivileged, as far as the setting, where there is one, does not allow it."""
    if name not in kernel.rules.privileged_commands or bpf_capable(kernel):
        return
    if kernel.settings.get(UNPRIVILEGED_BPF, 1):
        raise Errno("EPERM")


def map_type(kernel: Kernel, type: int) -> None:
    """Checks the type of a map that the unprivileged make once they may use bpf(2)."""
    if not bpf_capable(kernel) and type not in (MapType.HASH, MapType.ARRAY):
        raise Unpredictable("which types of maps the unprivileged may make")


def program_type(kernel: Kernel, operation: LoadProgram) -> None:
    """Raises EPERM: socket filters are for everybody, programs that trace take CAP_PERFMON too, those of the network
    CAP_NET_ADMIN; bpf_prog_load()."""
    if operation.type == ProgramType.SOCKET_FILTER:
        return
    if not bpf_capable(kernel):
        raise Errno("EPERM")
    if operation.type in TRACING:
        if not perfmon_capable(kernel):
            raise Errno("EPERM")
    elif operation.type in NETWORK:
        if not kernel.task.capable(Capability.NET_ADMIN) and not kernel.task.capable(Capability.SYS_ADMIN):
            raise Errno("EPERM")
    elif not kernel.task.capable(Capability.SYS_ADMIN):
        raise Unpredictable("which capabilities programs of this type take", Gap.VERDICT)


def instruction_limit(kernel: Kernel) -> int:
    limit = kernel.rules.instruction_limit
    return limit if bpf_capable(kernel) else min(limit, FEW_INSTRUCTIONS)


def verifier(kernel: Kernel, program: tuple[Instruction, ...]) -> None:
    """Raises Unpredictable for programs of callers without CAP_PERFMON, whom the verifier does not trust with addresses
    (for kprobes, no other callers get here)."""
    if not perfmon_capable(kernel) and not all(instruction.code in HARMLESS for instruction in program):
        raise Unpredictable("which verdict the verifier gives on programs of the unprivileged", Gap.VERDICT)


def seed(kernel: Kernel, wanted: CreateMap) -> None:
    """Raises EPERM for a hash map with a zero seed, except for the administrator; htab_map_alloc_check() looks at it
    before any other flag."""
    rules = kernel.rules.maps
    if wanted.flags & MapFlag.ZERO_SEED & rules.flags.get(wanted.type, 0):
        if not rules.file_modes_last:
            check_file_modes(wanted.flags)
        if not kernel.task.capable(Capability.SYS_ADMIN):
            raise Errno("EPERM")


def read_map(map: Map) -> None:
    """Raises EPERM where the map's descriptors are not for reading; map_get_sys_perms(), kernel/bpf/syscall.c."""
    if map.flags & MapFlag.WRONLY:
        raise Errno("EPERM")


def write_map(map: Map) -> None:
    """Raises EPERM where they are not for writing."""
    if map.frozen or map.flags & MapFlag.RDONLY:
        raise Errno("EPERM")


def share(map: Map, *, writable: bool) -> None:
    """Raises EACCES: memory that is shared must be readable, and writable if that is wanted; do_mmap(), mm/mmap.c,
    before the file is asked whether it can be mapped at all."""
    if map.flags & MapFlag.WRONLY or (writable and map.flags & MapFlag.RDONLY):
        raise Errno("EACCES")


def charge(kernel: Kernel) -> None:
    """Raises EPERM: maps and programs count against RLIMIT_MEMLOCK, root's too; bpf_charge_memlock()."""
    limit = kernel.task.memory_limit
    if not kernel.rules.charges_locked_memory or limit is None:
        return
    if limit < kernel.environment.page_size:
        raise Errno("EPERM")
    raise Unpredictable("how much memory the caller's user has locked")


# perf_event_open(2)


def open_any(kernel: Kernel, excludes_kernel: bool) -> None:
    """Raises EACCES for an event of the kernel, and where a distribution has such a level, for any event (PEO-10)."""
    paranoia = kernel.settings[PARANOID]
    if paranoia >= kernel.rules.paranoid_any and not kernel.task.capable(Capability.SYS_ADMIN):
        raise Errno("EACCES")
    if paranoia > 1 and not excludes_kernel and not perfmon_capable(kernel):
        raise Errno("EACCES")


def watch(kernel: Kernel, task: object) -> None:
    """Raises EACCES for another user's task: ptrace_may_access(), kernel/ptrace.c."""
    if task is kernel.task or kernel.task.capable(Capability.SYS_PTRACE):
        return
    if kernel.rules.splits_admin and perfmon_capable(kernel):
        return
    if not isinstance(task, Task) or task.user != kernel.task.user:
        raise Errno("EACCES")
    raise Unpredictable("whether a process lets others of its user look into it")


def raw_samples(kernel: Kernel) -> None:
    """Raises EPERM: raw samples of a trace event are not for everybody; trace_event_perf.c."""
    if kernel.settings[PARANOID] > -1 and not perfmon_capable(kernel):
        raise Errno("EPERM")


def whole_cpu(kernel: Kernel) -> None:
    """Raises EACCES for counting every task on a CPU; find_get_context()."""
    if kernel.settings[PARANOID] > 0 and not perfmon_capable(kernel):
        raise Errno("EACCES")


def lock_ring(kernel: Kernel, pages: int) -> None:
    """Raises EPERM for a ring beyond what every user may have, and beyond the caller's limit; perf_mmap()."""
    if pages > MOST_CERTAIN_PAGES:
        raise Unpredictable("whether the guest has that much memory")
    free = (kernel.settings[MLOCK] << 10) // kernel.environment.page_size
    beyond = pages - free * kernel.environment.cpus
    limit = kernel.task.memory_limit
    if beyond <= 0 or limit is None or kernel.settings[PARANOID] == -1 or kernel.task.capable(Capability.IPC_LOCK):
        return
    if kernel.locked_doubt or any(event.ring for event in kernel.perf_events()):
        raise Unpredictable("how many pages the caller's user has locked")
    if beyond > limit // kernel.environment.page_size:
        raise Errno("EPERM")
