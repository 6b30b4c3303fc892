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
    ProgramType.KPROBE: "kprobe+ kretprobe+ uprobe+ uretprobe+ ksyscall+ kretsyscall+ usdt+",
    ProgramType.SCHED_CLS: "tc classifier",
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
_WITH_MORE: dict[ProgramType, str] = {
    ProgramType.KPROBE: "uprobe.s+ uretprobe.s+ usdt.s+ kprobe.multi+ kretprobe.multi+ kprobe.session+ uprobe.multi+"
    " uretprobe.multi+ uprobe.session+ uprobe.multi.s+ uretprobe.multi.s+ uprobe.session.s+",
    ProgramType.SCHED_CLS: "tc/ingress tc/egress tcx/ingress tcx/egress netkit/primary netkit/peer",
}
"""Those of types the model knows that are loaded with flags or an expected_attach_type, which it does not know."""


_RETURNS = frozenset({"kretprobe", "kretsyscall", "uretprobe", "fexit"})
"""What is called when a function returns, not when it is entered."""


@dataclass(frozen=True)
class Meaning:
    """What a section's name says: the program's type; whether that is all that the kernel is told (`alone`); by which
    `mechanism` it is attached, `kprobe`, and to which `target`, empty where the name says none; whether it is
    `optional`, which libbpf does not load unless it is told to (`?` before the name)."""

    type: ProgramType
    alone: bool = True
    mechanism: str = ""
    target: str = ""
    optional: bool = False

    @property
    def returns(self) -> bool:
        """Whether it runs at the end of a function."""
        return self.mechanism.partition(".")[0] in _RETURNS

    @property
    def by_type(self) -> bool:
        """Whether the kernel is told by a number of its BTF what the program is for."""
        return self.type in _BY_TYPE


_BY_TYPE = frozenset({ProgramType.TRACING, ProgramType.LSM, ProgramType.EXT, ProgramType.STRUCT_OPS})
_EXACT: dict[str, Meaning] = {}
_WITH_TARGET: dict[str, Meaning] = {}
for _table, _alone in ((_NAMES, True), (_WITH_MORE, False)):
    for _type, _names in _table.items():
        for _name in _names.split():
            _plain = _name.removesuffix("+")
            (_WITH_TARGET if _name.endswith("+") else _EXACT)[_plain] = Meaning(_type, _alone, _plain)


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
