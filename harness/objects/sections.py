# SPDX-License-Identifier: MIT
"""The type of a program by the name of its section: section_defs[], tools/lib/bpf/libbpf.c of 7.2.

Names are exact; one that ends in `+` may have a target behind a slash, `kprobe/sys_write`. libbpf before 1.0 and the
loader of 4.1 (samples/bpf/bpf_load.c) took whatever began with an exact name, so `socket1` is a socket filter, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.script.operations import ProgramType

_CGROUP_ADDRESSES = " ".join(
    f"cgroup/{call}{family}"
    for call, families in {
        "bind": ("4", "6"),
        **dict.fromkeys(("connect", "sendmsg", "recvmsg", "getpeername", "getsockname"), ("4", "6", "_unix")),
    }.items()
    for family in families
)
_NAMES: dict[ProgramType, str] = {
    ProgramType.SOCKET_FILTER: "socket",
    ProgramType.KPROBE: "kprobe+ kretprobe+ uprobe+ uretprobe+ ksyscall+ kretsyscall+ usdt+ uprobe.s+ uretprobe.s+"
    " usdt.s+ kprobe.multi+ kretprobe.multi+ kprobe.session+ uprobe.multi+ uretprobe.multi+ uprobe.session+"
    " uprobe.multi.s+ uretprobe.multi.s+ uprobe.session.s+",
    ProgramType.SCHED_CLS: "tc classifier tc/ingress tc/egress tcx/ingress tcx/egress netkit/primary netkit/peer",
    ProgramType.SCHED_ACT: "action",
    ProgramType.TRACEPOINT: "tracepoint+ tp+ tracepoint.s+ tp.s+",
    ProgramType.XDP: "xdp xdp/devmap xdp/cpumap xdp.frags xdp.frags/devmap xdp.frags/cpumap",
    ProgramType.PERF_EVENT: "perf_event",
    ProgramType.CGROUP_SKB: "cgroup_skb/ingress cgroup_skb/egress cgroup/skb",
    ProgramType.CGROUP_SOCK: "cgroup/sock cgroup/sock_create cgroup/sock_release cgroup/post_bind4 cgroup/post_bind6",
    ProgramType.LWT_IN: "lwt_in",
    ProgramType.LWT_OUT: "lwt_out",
    ProgramType.LWT_XMIT: "lwt_xmit",
    ProgramType.SOCK_OPS: "sockops",
    ProgramType.SK_SKB: "sk_skb sk_skb/stream_parser sk_skb/stream_verdict sk_skb/verdict",
    ProgramType.CGROUP_DEVICE: "cgroup/dev",
    ProgramType.SK_MSG: "sk_msg",
    ProgramType.RAW_TRACEPOINT: "raw_tracepoint+ raw_tp+ raw_tracepoint.s+ raw_tp.s+",
    ProgramType.CGROUP_SOCK_ADDR: _CGROUP_ADDRESSES,
    ProgramType.LWT_SEG6LOCAL: "lwt_seg6local",
    ProgramType.LIRC_MODE2: "lirc_mode2",
    ProgramType.SK_REUSEPORT: "sk_reuseport sk_reuseport/migrate",
    ProgramType.FLOW_DISSECTOR: "flow_dissector",
    ProgramType.CGROUP_SYSCTL: "cgroup/sysctl",
    ProgramType.RAW_TRACEPOINT_WRITABLE: "raw_tracepoint.w+ raw_tp.w+",
    ProgramType.CGROUP_SOCKOPT: "cgroup/getsockopt cgroup/setsockopt",
    ProgramType.TRACING: "tp_btf+ fentry+ fmod_ret+ fexit+ fsession+ iter+ tp_btf.s+ fentry.s+ fmod_ret.s+ fexit.s+"
    " fsession.s+ iter.s+ fentry.multi+ fexit.multi+ fsession.multi+ fentry.multi.s+ fexit.multi.s+ fsession.multi.s+",
    ProgramType.STRUCT_OPS: "struct_ops+ struct_ops.s+",
    ProgramType.EXT: "freplace+",
    ProgramType.LSM: "lsm+ lsm.s+ lsm_cgroup+",
    ProgramType.SK_LOOKUP: "sk_lookup",
    ProgramType.SYSCALL: "syscall",
    ProgramType.NETFILTER: "netfilter",
}
_ATTACH_TYPES: dict[int, str] = {
    1: "cgroup_skb/egress",
    2: "cgroup/sock cgroup/sock_create",
    3: "sockops",
    4: "sk_skb/stream_parser",
    5: "sk_skb/stream_verdict",
    6: "cgroup/dev",
    7: "sk_msg",
    8: "cgroup/bind4",
    9: "cgroup/bind6",
    10: "cgroup/connect4",
    11: "cgroup/connect6",
    12: "cgroup/post_bind4",
    13: "cgroup/post_bind6",
    14: "cgroup/sendmsg4",
    15: "cgroup/sendmsg6",
    16: "lirc_mode2",
    17: "flow_dissector",
    18: "cgroup/sysctl",
    19: "cgroup/recvmsg4",
    20: "cgroup/recvmsg6",
    21: "cgroup/getsockopt",
    22: "cgroup/setsockopt",
    23: "tp_btf tp_btf.s",
    24: "fentry fentry.s",
    25: "fexit fexit.s",
    26: "fmod_ret fmod_ret.s",
    27: "lsm lsm.s",
    28: "iter iter.s",
    29: "cgroup/getpeername4",
    30: "cgroup/getpeername6",
    31: "cgroup/getsockname4",
    32: "cgroup/getsockname6",
    33: "xdp/devmap xdp.frags/devmap",
    34: "cgroup/sock_release",
    35: "xdp/cpumap xdp.frags/cpumap",
    36: "sk_lookup",
    37: "xdp xdp.frags",
    38: "sk_skb/verdict",
    39: "sk_reuseport",
    40: "sk_reuseport/migrate",
    42: "kprobe.multi kretprobe.multi",
    43: "lsm_cgroup",
    45: "netfilter",
    46: "tc/ingress tcx/ingress",
    47: "tc/egress tcx/egress",
    48: "uprobe.multi uretprobe.multi uprobe.multi.s uretprobe.multi.s",
    49: "cgroup/connect_unix",
    50: "cgroup/sendmsg_unix",
    51: "cgroup/recvmsg_unix",
    52: "cgroup/getpeername_unix",
    53: "cgroup/getsockname_unix",
    54: "netkit/primary",
    55: "netkit/peer",
    56: "kprobe.session",
    57: "uprobe.session uprobe.session.s",
}
"""`enum bpf_attach_type`, include/uapi/linux/bpf.h: what the kernel is told beside the type, by sections."""
_SLEEPABLE, _FRAGMENTS = 1 << 4, 1 << 5
"""BPF_F_SLEEPABLE and BPF_F_XDP_HAS_FRAGS."""


_RETURNS = frozenset({"kretprobe", "kretsyscall", "uretprobe", "fexit"})
"""What is called when a function returns, not when it is entered."""


@dataclass(frozen=True)
class Meaning:
    """What a section's name says: the program's type, with the `attach_type` and the `flags` that the kernel is told
    beside it; by which `mechanism` it is attached, `kprobe`, and to which `target`, empty where the name says none;
    whether it is `optional`, which libbpf does not load unless it is told to (`?` before the name)."""

    type: ProgramType
    attach_type: int = 0
    flags: int = 0
    mechanism: str = ""
    target: str = ""
    optional: bool = False

    @property
    def returns(self) -> bool:
        """Whether it runs at the end of a function."""
        return self.mechanism.partition(".")[0] in _RETURNS

    @property
    def alone(self) -> bool:
        """Whether its type is all that the kernel is told, or is one of which the model knows nothing anyway."""
        return not (self.attach_type or self.flags) or self.type not in (ProgramType.KPROBE, ProgramType.SCHED_CLS)

    @property
    def by_type(self) -> bool:
        """Whether the kernel is told by a number of its BTF what the program is for."""
        return self.type in _BY_TYPE


_BY_TYPE = frozenset({ProgramType.TRACING, ProgramType.LSM, ProgramType.EXT, ProgramType.STRUCT_OPS})
_EXACT: dict[str, Meaning] = {}
_WITH_TARGET: dict[str, Meaning] = {}
_attach_type = {_name: _number for _number, _names in _ATTACH_TYPES.items() for _name in _names.split()}
for _type, _names in _NAMES.items():
    for _name in _names.split():
        _plain = _name.removesuffix("+")
        _sleeps = _plain.endswith(".s") or _plain == "syscall"
        _flags = _SLEEPABLE * _sleeps | _FRAGMENTS * _plain.startswith("xdp.frags")
        (_WITH_TARGET if _name.endswith("+") else _EXACT)[_plain] = Meaning(
            _type, _attach_type.get(_plain, 0), _flags, _plain
        )


def meaning(section: str) -> Meaning | None:
    """What the name says, None when it says nothing."""
    name = section.removeprefix("?")
    optional = name != section
    if found := _EXACT.get(name):
        return replace(found, optional=optional)
    first, _, target = name.partition("/")
    if found := _WITH_TARGET.get(first):
        return replace(found, target=target, optional=optional)
    begun = _EXACT.get(max(filter(name.startswith, _EXACT), key=len, default=""))
    return replace(begun, optional=optional) if begun else None


_ROLES = {
    "license": "license",
    "version": "kernel version",
    "maps": "maps",
    ".maps": "maps (BTF)",
    ".BTF": "types",
    ".BTF.ext": "lines and relocations to types",
    ".struct_ops": "operations of the kernel",
    ".struct_ops.link": "operations of the kernel",
    ".text": "functions",
    ".symtab": "symbols",
    ".strtab": "names",
    ".shstrtab": "names",
    ".llvm_addrsig": "left by the compiler",
    ".eh_frame": "left by the compiler",
    ".note.GNU-stack": "left by the compiler",
    "": "nothing",
}
_ROLES_BY_BEGINNING = {
    "maps/": "map",
    ".rodata": "data, read only",
    ".data": "data",
    ".bss": "data, zero at first",
    ".rel": "relocations",
    ".debug_": "debug information",
    ".addr_space.1": "data of an arena",
    ".comment": "left by the compiler",
}


def role(section: str) -> str:
    """What a section without instructions is, empty when its name says nothing."""
    if section in _ROLES:
        return _ROLES[section]
    if section.endswith("/maps"):
        return _ROLES["maps"]
    return next((role for begin, role in _ROLES_BY_BEGINNING.items() if section.startswith(begin)), "")


def is_data(section: str) -> bool:
    """Whether the section is global data, which becomes a map: libbpf's .rodata, .data and .bss, each with suffixes."""
    return any(section == name or section.startswith(f"{name}.") for name in (".rodata", ".data", ".bss"))
