# SPDX-License-Identifier: MIT
"""Where a program is attached, by the name of its section, on one kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.objects.kernel_facts import KernelFacts
from harness.objects.sections import Meaning
from harness.objects.user_files import NoPlace, UserPlace, locate
from harness.release import Release, dotted
from harness.script.checks import PATTERN, SYMBOL, TRACEPOINT

_PREFIXES = {"x86_64": ("__x64_sys_", (4, 17)), "arm64": ("__arm64_sys_", (4, 19)), "riscv64": ("__riscv_sys_", (6, 6))}
"""What is in front of a system call's name since that release: ARCH_SYSCALL_PREFIX of libbpf."""
_SYSTEM_CALL = re.compile(r"^(?:__(?:x64|arm64|riscv)_sys_|SyS_|sys_)(?=\w)")
ATTACHED = {
    **dict.fromkeys(("kprobe", "kretprobe"), "kprobe/FUNCTION"),
    **dict.fromkeys(("ksyscall", "kretsyscall"), "ksyscall/CALL"),
    **dict.fromkeys(("tracepoint", "tp"), "tracepoint/GROUP/NAME"),
    **dict.fromkeys(("raw_tracepoint", "raw_tp"), "raw_tracepoint/NAME"),
    **{name: f"{name}/PATTERN" for name in ("kprobe.multi", "kretprobe.multi", "kprobe.session")},
    **{name: f"{name}/FILE:FUNCTION" for name in ("uprobe", "uretprobe", "uprobe.s", "uretprobe.s")},
    **{name: f"{name}/FUNCTION" for name in ("fentry", "fexit", "fmod_ret")},
    "tp_btf": "tp_btf/NAME",
    "lsm": "lsm/HOOK",
    "perf_event": "perf_event",
    "socket": "socket",
}
"""The mechanisms by which the bench attaches, each with the name of a section that says where."""
_OFFSETS = range(1 << 63)
_KPROBES = {"kprobe": "kprobe", "kretprobe": "kretprobe", "ksyscall": "kprobe", "kretsyscall": "kretprobe"}


_OF_FILES = frozenset({"uprobe", "uretprobe"})
UPROBES_SINCE: Release = (4, 17)
"""The release with the event source `uprobe`: 33ea4b24277b. Before, since 4.3, there was tracefs' uprobe_events."""
_WILD = re.compile(r"[*?]")
_OF_SEVERAL = frozenset({"kprobe.multi", "kretprobe.multi", "kprobe.session"})
_LINKED: tuple[tuple[Release, frozenset[str]], ...] = (
    ((5, 9), frozenset({"xdp", "xdp.frags"})),
    ((6, 6), frozenset({"tc/ingress", "tc/egress", "tcx/ingress", "tcx/egress"})),
)
"""What is linked to network devices, and since when: aa8d3a716b59, e420bed02507."""
LOOPBACK = "lo"
_NEEDS = {
    "xdp/": "a map of devices or CPUs that packets are passed to",
    "xdp.frags/": "a map of devices or CPUs that packets are passed to",
    "xdp": "a link to a network device, which kernels have since 5.9 (aa8d3a716b59)",
    "tc/": "a link to a network device, which kernels have since 6.6 (e420bed02507), or a qdisc (clsact)",
    "tcx": "a link to a network device, which kernels have since 6.6 (e420bed02507)",
    "tc": "a network device with a qdisc (clsact)",
    "classifier": "a network device with a qdisc (clsact)",
    "action": "a filter of a qdisc that has it as its action",
    "netkit": "a device of netkit",
    "cgroup": "a cgroup",
    "lsm_cgroup": "a cgroup",
    "sockops": "a cgroup",
    "sk_skb": "a map of sockets",
    "sk_msg": "a map of sockets",
    "sk_reuseport": "a group of sockets",
    "sk_lookup": "a network namespace",
    "flow_dissector": "a network namespace",
    "netfilter": "a hook of netfilter",
    "lwt": "a route",
    "lirc_mode2": "an infrared receiver",
    "iter": "an iterator, which runs it when it is read",
    "struct_ops": "a map of operations that the kernel takes",
    "freplace": "a program that it replaces a function of",
    "syscall": "a call of BPF_PROG_TEST_RUN",
}
"""By the beginning of the mechanism, the first that fits."""


@dataclass(frozen=True)
class Place:
    """`kind` is how it is attached, `target` the function, the tracepoint or the file, `offset` in bytes into it."""

    kind: str
    target: str
    offset: int = 0

    @property
    def function(self) -> str:
        """Returns the function of the kernel that it is called for; empty where it is something else."""
        names_one = self.kind in ("kprobe", "kretprobe", "multi", "trampoline") and not self.pattern
        return self.target if names_one else ""

    @property
    def shared(self) -> str:
        """Returns what another program may be attached to the other end of: a function; empty where there is none."""
        return f"{self.target}+{self.offset}" if self.kind == "uprobe" else self.function

    @property
    def pattern(self) -> str:
        """Returns the pattern of names of functions that it is called for; empty where it is for one thing."""
        return self.target if self.kind == "multi" and _WILD.search(self.target) else ""

    def reaches(self, function: str) -> bool:
        """Returns whether it is called for a function of the kernel."""
        return fnmatchcase(function, self.pattern) if self.pattern else bool(function) and self.function == function


def place(said: Meaning, kernel: KernelFacts) -> Place | None:
    """Returns where a program of that meaning is attached; None where the bench has no operation for it, or the name
    of the section leaves it open, as `kprobe/skb-1` does: its loader chooses the functions."""
    mechanism = said.mechanism
    if mechanism in ("ksyscall", "kretsyscall"):
        return Place(_KPROBES[mechanism], system_call_symbol(said.target, kernel)) if said.target else None
    if mechanism in _KPROBES and said.target:
        symbol, _, offset = said.target.partition("+")
        try:
            at = int(offset or "0", 0)
        except ValueError:
            return None
        return Place(_KPROBES[mechanism], symbol, at) if SYMBOL.fullmatch(symbol) and at in _OFFSETS else None
    if mechanism in ("tracepoint", "tp") and TRACEPOINT.fullmatch(said.target):
        return Place("tracepoint", said.target)
    plain = mechanism.partition(".")[0]
    if plain in ("raw_tracepoint", "raw_tp") and said.target:
        return Place("raw_tracepoint", said.target)
    if mechanism in _OF_SEVERAL:
        taken = SYMBOL.fullmatch(said.target) or (_WILD.search(said.target) and PATTERN.fullmatch(said.target))
        return Place("multi", said.target) if taken else None
    if plain in _OF_FILES:
        there = user_place(said, kernel)
        return Place("uprobe", there.path, there.offset) if isinstance(there, UserPlace) else None
    if plain in ("fentry", "fexit", "fmod_ret", "lsm") and said.target:
        return Place("trampoline", f"bpf_lsm_{said.target}" if plain == "lsm" else said.target)
    if any(kernel.release >= since and mechanism in linked for since, linked in _LINKED):
        return Place("device", LOOPBACK)
    if plain == "iter" and said.target:
        return Place("iterator", said.target)
    if plain == "tp_btf" and said.target:
        return Place("typed_tracepoint", said.target)
    return Place(mechanism, "") if mechanism in ("socket", "perf_event") else None


def user_place(said: Meaning, kernel: KernelFacts) -> UserPlace | NoPlace | None:
    """Returns the place in a file that a section names, or why there is none; None for other sections."""
    if said.mechanism.partition(".")[0] not in _OF_FILES or said.mechanism not in ATTACHED:
        return None
    if kernel.release < UPROBES_SINCE:
        since = dotted(UPROBES_SINCE)
        what = f"needs an event source for places in files, which kernels have since {since} (33ea4b24277b)"
        return NoPlace("newer-kernel", what, f"needs Linux {since}")
    return locate(said.target, kernel.arch, kernel.read_file, returns=said.returns)


def needs(said: Meaning | None) -> str:
    """Returns what has to be there for a program to be attached that `place` has no place for."""
    if said is None:
        return "a loader that knows what the section's name means"
    mechanism = said.mechanism
    plain = mechanism.partition(".")[0]
    if plain in ("uprobe", "uretprobe", "usdt"):
        where = said.target if ":" in said.target else "a file and a function in it, which the section does not name"
        if plain == "usdt":
            where += ", which its own notes tell (.note.stapsdt), and maps of libbpf for its arguments"
        return f"a program of the user: {where}; hil exec runs a loader of yours beside one"
    return next((what for begin, what in _NEEDS.items() if mechanism.startswith(begin)), "a loader of its own")


def system_call_symbol(call: str, kernel: KernelFacts) -> str:
    """Returns the function that a system call begins with on this kernel: `__x64_sys_openat`. Before the wrappers,
    SyS_openat is the same place as sys_openat, which all releases have."""
    prefix, since = _PREFIXES.get(kernel.arch, ("sys_", (0, 0)))
    return f"{prefix if kernel.release >= since else 'sys_'}{call}"


def portable(symbol: str, kernel: KernelFacts) -> str:
    """Returns the symbol by which this kernel has the system call that a section names as another kernel has it;
    other symbols as they are."""
    found = _SYSTEM_CALL.match(symbol)
    return system_call_symbol(symbol[found.end() :], kernel) if found else symbol
