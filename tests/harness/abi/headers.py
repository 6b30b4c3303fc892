"""Our tables as claims about the kernel's user-space headers, and the C program in which a compiler judges them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from harness.abi import bpf, capabilities, perf
from harness.abi.capabilities import Capability
from harness.abi.layout import Layout
from harness.abi.pt_regs import pt_regs
from harness.abi.system_calls import NUMBERS
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Atomic, Class, Helper, Jump, Mode, Pseudo, Size, Source
from harness.lowering import processes, programs
from harness.script.operations import MapType, ProgramType, SampleType, UpdateFlag
from hil.arch import entry

HEADERS = (
    *("asm/ptrace.h", "asm/unistd.h", "linux/bpf.h", "linux/perf_event.h", "stddef.h", "sys/ioctl.h"),
    *("asm/socket.h", "sys/socket.h", "linux/capability.h", "linux/prctl.h", "sys/resource.h"),
)


@dataclass(frozen=True)
class Claim:
    """That `expression` is `value`. `defined` is a macro without which headers are too old to be asked."""

    expression: str
    value: int
    defined: str = ""

    @property
    def text(self) -> str:
        """As C."""
        claim = f'_Static_assert(({self.expression}) == {self.value}, "{self.expression}");\n'
        return f"#ifdef {self.defined}\n{claim}#endif\n" if self.defined else claim


def program(claims: Iterable[Claim]) -> str:
    """A translation unit that compiles if all claims are true."""
    return "".join((*(f"#include <{header}>\n" for header in HEADERS), *(claim.text for claim in claims)))


def claims(arch: str) -> Iterator[Claim]:
    """Everything our tables say for one architecture."""
    for name, number in NUMBERS[arch].items():
        yield Claim(f"__NR_{name}", number)
    for layout in (bpf.MAP_CREATE, bpf.ELEMENT, bpf.PROG_LOAD):
        yield from _fields("union bpf_attr", layout)
    yield from _fields("struct perf_event_attr", perf.ATTR)
    yield from _constants()
    for prefix, numbers, names in _ENUMERATIONS:
        for member in (one for one in numbers if one not in _NOT_YET):
            name = str(member.name)
            yield Claim(f"{prefix}{names.get(name, name)}", member.value, _NEWER.get(member, ""))
    yield from _opcode_fields()
    for helper in Helper:
        yield Claim(f"BPF_FUNC_{helper.name.lower()}", helper)
    yield from registers(arch)


_ENUMERATIONS: tuple[tuple[str, Iterable[IntEnum | SampleType], Mapping[str, str]], ...] = (
    ("BPF_", bpf.Command, {}),
    ("CAP_", Capability, {}),
    ("BPF_MAP_TYPE_", MapType, {}),
    ("BPF_PROG_TYPE_", ProgramType, {}),
    ("BPF_", UpdateFlag, {}),
    ("PERF_SAMPLE_", SampleType, {}),
    ("BPF_", Class, {}),
    ("BPF_", Source, {}),
    ("BPF_", Size, {}),
    ("BPF_", Mode, {}),
    ("BPF_", Alu, {}),
    ("BPF_", Jump, {}),
    ("BPF_", Atomic, {"LOAD_ACQUIRE": "LOAD_ACQ", "STORE_RELEASE": "STORE_REL"}),
    (
        "BPF_PSEUDO_",
        [pseudo for pseudo in Pseudo if pseudo is not Pseudo.CONSTANT],
        {"FUNCTION": "FUNC", "MAP_INDEX": "MAP_IDX", "MAP_INDEX_VALUE": "MAP_IDX_VALUE"},
    ),
)
"""What the header's names begin with, ours, and where ours go on otherwise."""

_FIELDS = {"CLASS": "opcode_class", "SRC": "source", "OP": "operation", "SIZE": "size", "MODE": "mode"}
"""Macros of bpf_common.h, which take a field from an opcode, and our names of the fields."""

_NEWER: dict[IntEnum | SampleType, str] = {
    Mode.MEMSX: "BPF_MEMSX",  # 6.6
    Jump.JCOND: "BPF_JCOND",  # 6.9
    Atomic.LOAD_ACQUIRE: "BPF_LOAD_ACQ",  # 6.15
    Atomic.STORE_RELEASE: "BPF_STORE_REL",
}
"""What came after the headers of the oldest host we support (Debian 12: 6.1); all of it are macros."""

_NOT_YET = (ProgramType.NETFILTER,)
"""What came after them, too (6.4), and is no macro: whether headers have it cannot be asked."""


def _fields(structure: str, layout: Layout) -> Iterator[Claim]:
    for name, field in layout.fields.items():
        if name == "flags" and layout is perf.ATTR:
            continue  # bit fields without a name: no offset can be asked for; their neighbours leave them this place
        yield Claim(f"offsetof({structure}, {name})", field.offset)
        yield Claim(f"sizeof((({structure} *)0)->{name})", field.size)


def _opcode_fields() -> Iterator[Claim]:
    for code in range(256):
        for macro, name in _FIELDS.items():
            yield Claim(f"BPF_{macro}({code:#x})", getattr(Instruction(code), name))


def _constants() -> Iterator[Claim]:
    # Structures only grow at their ends; the header has the newest size.
    yield Claim(f"sizeof(union bpf_attr) >= {bpf.ATTR_SIZE}", 1)
    yield Claim("PERF_ATTR_SIZE_VER5", perf.ATTR.size)
    flags = perf.ATTR.fields["flags"]
    yield Claim("offsetof(struct perf_event_attr, read_format) + 8", flags.offset)
    yield Claim("offsetof(struct perf_event_attr, wakeup_events) - 8", flags.offset)
    yield Claim("BPF_PSEUDO_MAP_FD", bpf.PSEUDO_MAP_FD)
    yield Claim("PERF_TYPE_TRACEPOINT", perf.TYPE_TRACEPOINT)
    yield Claim("PERF_FLAG_FD_CLOEXEC", perf.FLAG_FD_CLOEXEC)
    yield Claim("PERF_EVENT_IOC_ENABLE", perf.IOC_ENABLE)
    yield Claim("PERF_EVENT_IOC_DISABLE", perf.IOC_DISABLE)
    yield Claim("PERF_EVENT_IOC_SET_BPF", perf.IOC_SET_BPF)
    yield Claim("PERF_RECORD_LOST", perf.RECORD_LOST)
    yield Claim("PERF_RECORD_SAMPLE", perf.RECORD_SAMPLE)
    yield Claim("offsetof(struct perf_event_mmap_page, data_head)", perf.RING_DATA_HEAD)
    yield Claim("offsetof(struct perf_event_mmap_page, data_tail)", perf.RING_DATA_TAIL)
    yield Claim("_LINUX_CAPABILITY_VERSION_3", capabilities.VERSION)
    yield Claim("sizeof(struct __user_cap_header_struct)", len(capabilities.header()))
    yield Claim("sizeof(struct __user_cap_data_struct) * 2", len(capabilities.data(())))
    for name in ("PR_SET_KEEPCAPS", "PR_SET_NAME", "RLIMIT_MEMLOCK"):
        yield Claim(name, getattr(processes, name))
    for name in ("AF_UNIX", "SOCK_DGRAM", "MSG_DONTWAIT", "SOL_SOCKET", "SO_ATTACH_BPF"):
        yield Claim(name, getattr(programs, name))


def _x86_64_registers() -> Iterator[Claim]:
    """The header for user space keeps the old names of the registers that have one."""
    layout = pt_regs("x86_64", "4.1")
    old = {"flags": "eflags", "orig_ax": "orig_rax"}
    for name, offset in layout.offsets.items():
        there = name if name in ("cs", "ss") or name[1:].isdigit() else old.get(name, f"r{name}")
        yield Claim(f"offsetof(struct pt_regs, {there})", offset)
    yield Claim("sizeof(struct pt_regs)", layout.size)


def _arm64_registers() -> Iterator[Claim]:
    """User space sees the first part of `struct pt_regs` only, as `struct user_pt_regs`."""
    offsets = pt_regs("arm64", "4.1").offsets
    for number in range(31):
        yield Claim(f"offsetof(struct user_pt_regs, regs[{number}])", offsets[f"x{number}"])
    for name in ("sp", "pc", "pstate"):
        yield Claim(f"offsetof(struct user_pt_regs, {name})", offsets[name])
    yield Claim("sizeof(struct user_pt_regs)", offsets["orig_x0"])


REGISTERS = {"x86_64": _x86_64_registers, "arm64": _arm64_registers}


def registers(arch: str) -> Iterator[Claim]:
    """What our table of an architecture's registers says; UserError when nobody has added how to ask."""
    return entry(REGISTERS, arch, "tests/harness/abi/headers.py")()
