# SPDX-License-Identifier: MIT
"""Our tables as claims about the headers for user space, and the C program in which a compiler judges them."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from types import ModuleType

from harness.abi import bpf, btf, capabilities, numbers, perf
from harness.abi.capabilities import Capability
from harness.abi.layout import Layout
from harness.abi.pt_regs import pt_regs
from harness.abi.system_calls import NUMBERS
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Atomic, Class, Helper, Jump, Mode, Pseudo, Size, Source
from harness.objects import elf
from hil.arch import entry

HEADERS = (
    *("asm/ptrace.h", "asm/socket.h", "asm/unistd.h", "errno.h", "fcntl.h", "linux/bpf.h", "linux/btf.h"),
    *("linux/capability.h", "linux/elf.h", "linux/elf-em.h", "linux/perf_event.h", "linux/prctl.h", "stddef.h"),
    *("sys/eventfd.h", "sys/ioctl.h", "sys/mman.h", "sys/resource.h", "sys/socket.h", "time.h"),
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


@dataclass(frozen=True)
class FlagClaim(Claim):
    """That the bit field `expression` of `struct perf_event_attr`, which has no offset to be asked for, is `value` in
    the word where the flags are. A compiler that optimises leaves the call out where that is true."""

    @property
    def text(self) -> str:
        word = perf.ATTR.fields["flags"].offset // 8
        return f"""
void wrong_{self.expression}(void) __attribute__((error("\\"{self.expression}\\"")));
void check_{self.expression}(void) {{
    union {{ struct perf_event_attr attr; unsigned long long words[16]; }} all = {{{{0}}}};
    all.attr.{self.expression} = 1;
    if (all.words[{word}] != {self.value}ull) wrong_{self.expression}();
}}
"""


def program(claims: Iterable[Claim]) -> str:
    """A translation unit that compiles, if the compiler optimises, if all claims are true."""
    includes = (f"#include <{header}>\n" for header in HEADERS)
    return "".join(("#define _GNU_SOURCE\n", *includes, *(claim.text for claim in claims)))


def claims(arch: str) -> Iterator[Claim]:
    """Everything our tables say for one architecture."""
    for name, number in NUMBERS[arch].items():
        yield Claim(f"__NR_{name}", number)
    for layout in (bpf.MAP_CREATE, bpf.ELEMENT, bpf.PROG_LOAD_TYPED, bpf.BTF_LOAD):
        yield from _fields("union bpf_attr", layout)
    yield from _fields("union bpf_attr", bpf.OBJECT_INFO, "info.")
    yield from _fields("struct bpf_prog_info", bpf.PROG_INFO)
    yield from _fields("struct bpf_func_info", bpf.FUNC_INFO)
    yield Claim("BPF_LINE_INFO_LINE_NUM(~0u) + 1ull", 1 << 32 - bpf.COLUMN_BITS)
    yield from _fields("struct perf_event_attr", perf.ATTR)
    yield from _structures()
    for prefix, module in _CONSTANTS:
        for name, value in constants(module):
            yield from _claim(prefix, name, value)
    for prefix, enumeration in _ENUMERATIONS:
        for member in enumeration:
            yield from _claim(prefix, str(member.name), member.value)
    for name in errno.errorcode.values():
        yield Claim(name, getattr(errno, name))
    yield from _opcode_fields()
    for helper in Helper:
        yield Claim(f"BPF_FUNC_{helper.name.lower()}", helper)
    yield from registers(arch)


def constants(module: ModuleType) -> Iterator[tuple[str, int]]:
    """The numbers that stand in a module by their names."""
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, int) and (module.__name__, name) not in _OUR_OWN:
            yield name, value


def _claim(prefix: str, name: str, value: int) -> Iterator[Claim]:
    named = _OTHERWISE.get(f"{prefix}{name}", f"{prefix}{name}")
    if named not in _NOT_YET:
        yield Claim(named, value, named if named in _NEWER else "")


_FLAGS = {
    "DISABLED": "disabled",
    "INHERIT": "inherit",
    "EXCLUDE_KERNEL": "exclude_kernel",
    "FREQUENCY": "freq",
    "ENABLE_ON_EXEC": "enable_on_exec",
    "USE_CLOCKID": "use_clockid",
}
"""Our names of bits of `struct perf_event_attr`, and those of its fields."""

_CONSTANTS: tuple[tuple[str, ModuleType], ...] = (("", numbers), ("BPF_", bpf), ("PERF_", perf))
"""What the header's names begin with, and the module with ours."""

_OUR_OWN = frozenset(
    {
        ("harness.abi.bpf", "ATTR_SIZE"),
        ("harness.abi.bpf", "COLUMN_BITS"),
        *(("harness.abi.perf", name) for name in ("RING_DATA_HEAD", "RING_DATA_TAIL", "IOC_TYPE", *_FLAGS)),
    }
)
"""Constants there that are no constants of the headers, and are held against them otherwise."""

_ENUMERATIONS: tuple[tuple[str, Iterable[IntEnum | IntFlag]], ...] = (
    ("BPF_", bpf.Command),
    ("BTF_KIND_", [kind for kind in btf.Kind if kind is not btf.Kind.VOID]),
    ("BTF_FUNC_", btf.Linkage),
    ("CAP_", Capability),
    ("BPF_MAP_TYPE_", bpf.MapType),
    ("BPF_PROG_TYPE_", bpf.ProgramType),
    ("BPF_", bpf.UpdateFlag),
    ("BPF_F_", bpf.MapFlag),
    ("PERF_SAMPLE_", perf.SampleType),
    ("BPF_", Class),
    ("BPF_", Source),
    ("BPF_", Size),
    ("BPF_", Mode),
    ("BPF_", Alu),
    ("BPF_", Jump),
    ("BPF_", Atomic),
    ("BPF_PSEUDO_", [pseudo for pseudo in Pseudo if pseudo is not Pseudo.CONSTANT]),
)
"""What the header's names begin with, and ours."""

_OTHERWISE = {
    "BPF_LOAD_ACQUIRE": "BPF_LOAD_ACQ",
    "BPF_STORE_RELEASE": "BPF_STORE_REL",
    "BPF_PSEUDO_FUNCTION": "BPF_PSEUDO_FUNC",
    "BPF_PSEUDO_MAP_INDEX": "BPF_PSEUDO_MAP_IDX",
    "BPF_PSEUDO_MAP_INDEX_VALUE": "BPF_PSEUDO_MAP_IDX_VALUE",
    **{f"PERF_{name}": f"PERF_EVENT_{name}" for name in vars(perf) if name.startswith("IOC_")},
    **{f"IOC_{part}": f"_IOC_{part}" for part in ("READ", "TYPESHIFT", "TYPEMASK", "DIRSHIFT")},
}
"""The header's names where they are not ours behind the beginning."""

_FIELDS = {"CLASS": "opcode_class", "SRC": "source", "OP": "operation", "SIZE": "size", "MODE": "mode"}
"""Macros of bpf_common.h, which take a field from an opcode, and our names of the fields."""

_NEWER = frozenset({"BPF_MEMSX", "BPF_JCOND", "BPF_LOAD_ACQ", "BPF_STORE_REL"})
"""Macros that came after the headers of the oldest host we support (Debian 12: 6.1), with 6.6, 6.9 and 6.15."""

_NOT_YET = frozenset({"BPF_PROG_TYPE_NETFILTER", "BPF_F_RB_OVERWRITE", "BPF_F_CPU", "BPF_F_ALL_CPUS"})
"""What came after them, too, and is no macro: whether headers have it cannot be asked."""


def _fields(structure: str, layout: Layout, within: str = "") -> Iterator[Claim]:
    for name, field in layout.fields.items():
        if name == "flags" and layout is perf.ATTR:
            continue  # bit fields without a name: no offset can be asked for; their neighbours leave them this place
        yield Claim(f"offsetof({structure}, {within}{name})", field.offset)
        yield Claim(f"sizeof((({structure} *)0)->{within}{name})", field.size)


def _opcode_fields() -> Iterator[Claim]:
    for code in range(256):
        for macro, name in _FIELDS.items():
            yield Claim(f"BPF_{macro}({code:#x})", getattr(Instruction(code), name))


def _structures() -> Iterator[Claim]:
    # Structures only grow at their ends; the header has the newest size.
    yield Claim(f"sizeof(union bpf_attr) >= {bpf.ATTR_SIZE}", 1)
    yield Claim("PERF_ATTR_SIZE_VER5", perf.ATTR.size)
    flags = perf.ATTR.fields["flags"]
    yield Claim("offsetof(struct perf_event_attr, read_format) + 8", flags.offset)
    yield Claim("offsetof(struct perf_event_attr, wakeup_events) - 8", flags.offset)
    for name, field in _FLAGS.items():
        yield FlagClaim(field, getattr(perf, name))
    yield Claim("_IOC_TYPE(PERF_EVENT_IOC_SET_BPF)", perf.IOC_TYPE)
    yield Claim("offsetof(struct perf_event_mmap_page, data_head)", perf.RING_DATA_HEAD)
    yield Claim("offsetof(struct perf_event_mmap_page, data_tail)", perf.RING_DATA_TAIL)
    yield Claim("_LINUX_CAPABILITY_VERSION_3", capabilities.VERSION)
    yield Claim("sizeof(struct __user_cap_header_struct)", len(capabilities.header()))
    yield Claim("sizeof(struct __user_cap_data_struct) * 2", len(capabilities.data(())))
    for name in ("EM_NONE", "EM_BPF", "SHF_EXECINSTR"):
        yield Claim(name, getattr(elf, name))
    yield Claim("BTF_MAGIC", btf.MAGIC)
    yield Claim("BTF_VERSION", btf.VERSION)
    yield Claim("BTF_INT_SIGNED", btf.SIGNED)


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


def _riscv64_registers() -> Iterator[Claim]:
    """User space sees the first part of `struct pt_regs` only, as `struct user_regs_struct`."""
    offsets = pt_regs("riscv64", "6.12").offsets
    for name in (name for name, offset in offsets.items() if offset < offsets["status"]):
        yield Claim(f"offsetof(struct user_regs_struct, {'pc' if name == 'epc' else name})", offsets[name])
    yield Claim("sizeof(struct user_regs_struct)", offsets["status"])


REGISTERS = {"x86_64": _x86_64_registers, "arm64": _arm64_registers, "riscv64": _riscv64_registers}


def registers(arch: str) -> Iterator[Claim]:
    """What our table of an architecture's registers says; UserError when nobody has added how to ask."""
    return entry(REGISTERS, arch, "tests/harness/abi/headers.py")()
