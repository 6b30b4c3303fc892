# SPDX-License-Identifier: MIT
"""Object files: what is read from them, and what is refused by name."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.isa.assemble import R0, R1, Piece, exit_, ld_imm64, ld_map_fd, mov64_imm, program
from harness.isa.instruction import encode
from harness.programs import object_file, source
from harness.programs.source import Format
from harness.script.operations import CreateMap, ProgramType, Ref
from hil.errors import UserError
from tests.harness.programs.elf import ALLOC, EXEC, FUNC, Relocation, Section, Symbol
from tests.harness.programs.elf import object_file as build

HITS = struct.pack("<5I", 1, 4, 8, 64, 1)


def code(*pieces: Piece) -> bytes:
    return encode(program(*pieces).instructions)


def section(name: str, *pieces: Piece) -> Section:
    return Section(name, code(*pieces), ALLOC | EXEC)


LOADS_A_MAP = (ld_imm64(R1, 0), mov64_imm(R0, 1), exit_())
WITH_MAP = build(
    section("kprobe/sys_write", *LOADS_A_MAP),
    Section("maps", bytes(20) + HITS),
    Section("license", b"Dual BSD/GPL\0"),
    symbols=(
        Symbol("prog", 1, FUNC, 0, 32),
        Symbol("first", 2, value=0, size=20),
        Symbol("hits", 2, value=20, size=20),
    ),
    relocations=(Relocation(1, 0, 3),),
)


def refused(content: bytes, wanted: str | None = None) -> str:
    with pytest.raises(UserError) as error:
        object_file.read(content, wanted)
    return str(error.value)


def test_a_program_with_its_map_license_and_type() -> None:
    brought = source.read(WITH_MAP)
    assert brought.program.instructions == program(ld_map_fd(R1, 0), mov64_imm(R0, 1), exit_()).instructions
    assert brought.program.maps == ((0, Ref("hits")),)
    assert brought.maps[1] == CreateMap("hits", 1, 4, 8, 64, 1)
    assert (brought.license, brought.type) == ("Dual BSD/GPL", ProgramType.KPROBE)


def test_of_a_map_that_btf_defines_the_name_is_known() -> None:
    content = build(
        section("socket", *LOADS_A_MAP),
        Section(".maps", bytes(32)),
        symbols=(Symbol("hits", 2, size=32),),
        relocations=(Relocation(1, 0, 1),),
    )
    brought = source.read(content)
    assert (brought.program.maps, brought.maps) == (((0, Ref("hits")),), ())
    assert (brought.license, brought.type) == (None, ProgramType.SOCKET_FILTER)


def test_one_of_several_programs() -> None:
    content = build(section("kprobe/a", exit_()), section("kprobe/b", mov64_imm(R0, 2), exit_()))
    assert "2 sections with instructions; choose with --section: kprobe/a, kprobe/b" in refused(content)
    assert "no program in section 'kprobe/c'" in refused(content, "kprobe/c")
    assert len(object_file.read(content, "kprobe/b").program.instructions) == 2


def test_two_functions_in_one_section_are_two_programs() -> None:
    code = section("kprobe/a", exit_(), mov64_imm(R0, 2), exit_())
    content = build(code, symbols=(Symbol("f", 1, FUNC), Symbol("g", 1, FUNC, 8)))
    assert "section kprobe/a holds 2 programs: f, g; choose one of them with --section" in refused(content)
    assert len(object_file.read(content, "f").program.instructions) == 1
    assert len(object_file.read(content, "g").program.instructions) == 2


@pytest.mark.parametrize(
    ("symbol", "type", "said"),
    [
        (Symbol("counter", 2), 1, "instruction 0 of kprobe/a refers to counter, in section other"),
        (Symbol("helper", 0), 1, "instruction 0 of kprobe/a refers to helper, defined nowhere (relocation type 1)"),
        (Symbol("helper", 0), 10, "helper, defined nowhere by a relocation of type 10, which an instruction 0x18 does"),
    ],
)
def test_what_is_no_map_is_refused_by_name(symbol: Symbol, type: int, said: str) -> None:
    content = build(
        section("kprobe/a", *LOADS_A_MAP),
        Section("other", bytes(8)),
        symbols=(symbol,),
        relocations=(Relocation(1, 0, 1, type),),
    )
    assert said in refused(content)


def test_a_relocation_where_no_instruction_begins() -> None:
    content = build(
        section("kprobe/a", exit_()),
        Section("maps", HITS),
        symbols=(Symbol("m", 2),),
        relocations=(Relocation(1, 4, 1),),
    )
    assert "relocation at byte 4" in refused(content)


def test_other_machines_programs() -> None:
    assert "ELF file of EM_X86_64" in refused(build(section("a", exit_()), machine=62))


def test_other_byte_orders() -> None:
    content = build(section("kprobe/f", exit_()), order=">")
    assert "a big-endian BPF object file of 64 bits; compile for bpfel" in refused(content)


def test_no_program() -> None:
    assert "no section with instructions" in refused(build(Section("license", b"GPL\0")))


def test_half_an_instruction() -> None:
    assert "12 bytes" in refused(build(Section("a", bytes(12), ALLOC | EXEC)))


@pytest.mark.parametrize(
    ("name", "type", "alone"),
    [
        ("socket", ProgramType.SOCKET_FILTER, True),
        ("socket1", ProgramType.SOCKET_FILTER, True),
        ("kprobe", ProgramType.KPROBE, True),
        ("kprobe/sys_write", ProgramType.KPROBE, True),
        ("kretprobe/sys_write", ProgramType.KPROBE, True),
        ("uprobe//bin/sh:main", ProgramType.KPROBE, True),
        ("uprobe.s/x", ProgramType.KPROBE, False),
        ("kprobe.multi/x*", ProgramType.KPROBE, False),
        ("?ksyscall/write", ProgramType.KPROBE, True),
        ("classifier", ProgramType.SCHED_CLS, True),
        ("tc/ingress", ProgramType.SCHED_CLS, False),
        ("action", ProgramType.SCHED_ACT, True),
        ("tracepoint/sched/sched_switch", ProgramType.TRACEPOINT, True),
        ("tp/sched/sched_switch", ProgramType.TRACEPOINT, True),
        ("raw_tracepoint/sys_enter", ProgramType.RAW_TRACEPOINT, True),
        ("raw_tp.w/x", ProgramType.RAW_TRACEPOINT_WRITABLE, True),
        ("tp_btf/sched_switch", ProgramType.TRACING, True),
        ("fentry/f", ProgramType.TRACING, True),
        ("fexit.s/f", ProgramType.TRACING, True),
        ("lsm/file_open", ProgramType.LSM, True),
        ("perf_event", ProgramType.PERF_EVENT, True),
        ("xdp", ProgramType.XDP, True),
        ("xdp_drop", ProgramType.XDP, True),
        ("xdp.frags/cpumap", ProgramType.XDP, True),
        ("cgroup_skb/ingress", ProgramType.CGROUP_SKB, True),
        ("cgroup/connect_unix", ProgramType.CGROUP_SOCK_ADDR, True),
        ("cgroup/sock_create", ProgramType.CGROUP_SOCK, True),
        ("struct_ops/init", ProgramType.STRUCT_OPS, True),
        ("syscall", ProgramType.SYSCALL, True),
        (".text", None, True),
        ("kprobes/f", None, True),
    ],
)
def test_a_sections_name_tells_the_type(name: str, type: ProgramType | None, alone: bool) -> None:
    brought = object_file.read(build(section(name, mov64_imm(R0, 0), exit_())))
    assert (brought.section, brought.type, brought.more == "") == (name, type, alone)


def test_the_version_it_is_for() -> None:
    program = section("kprobe/f", exit_())
    assert object_file.read(build(program, Section("version", b"\x34\1\4\0"))).kern_version == 0x40134
    assert object_file.read(build(program)).kern_version is None
    assert "section version has 2 bytes" in refused(build(program, Section("version", b"\1\4")))


STRINGS = b"\0int\0task_struct___old\0pid\0kprobe/a\0kprobe/b\x000:0\0"
INT = struct.pack("<4I", 1, 1 << 24, 4, 32)
TASK = struct.pack("<3I", 5, 4 << 24 | 1, 4) + struct.pack("<3I", STRINGS.index(b"pid"), 1, 0)
BTF = struct.pack("<HBBI4I", 0xEB9F, 1, 0, 24, 0, len(INT + TASK), len(INT + TASK), len(STRINGS)) + INT + TASK + STRINGS
CORE = struct.pack("<I", 16) + struct.pack("<2I", STRINGS.index(b"kprobe/a"), 1)
CORE += struct.pack("<4I", 8, 2, STRINGS.index(b"0:0"), 0)
EXT = struct.pack("<HBBI6I", 0xEB9F, 1, 0, 32, 0, 0, 0, 0, 0, len(CORE)) + CORE


def with_types(types: bytes, more: bytes) -> bytes:
    programs = (section(f"kprobe/{name}", mov64_imm(R0, 0), exit_()) for name in "ab")
    return build(*programs, Section(".BTF", types), Section(".BTF.ext", more))


def test_what_a_kernels_types_decide_is_refused_by_name() -> None:
    said = refused(with_types(BTF, EXT), "kprobe/a")
    assert said.startswith(
        "instruction 1 of kprobe/a is relocated to the kernel's own task_struct when it is loaded"
        " (CO-RE, access 0:0); build it without CO-RE"
    )
    assert object_file.read(with_types(BTF, EXT), "kprobe/b").section == "kprobe/b"
    without = struct.pack("<HBBI4I", 0xEB9F, 1, 0, 24, 0, 0, 0, 0)
    assert object_file.read(with_types(BTF, without), "kprobe/a").section == "kprobe/a"


@given(at=st.integers(0, len(BTF + EXT) - 1), byte=st.integers(0, 255))
@example(at=69, byte=ord("\n"))
def test_damaged_types_are_refused_or_harmless(at: int, byte: int) -> None:
    damaged = bytearray(BTF + EXT)
    damaged[at] = byte
    try:
        object_file.read(with_types(bytes(damaged[: len(BTF)]), bytes(damaged[len(BTF) :])), "kprobe/a")
    except UserError as error:
        assert "\n" not in str(error)


@given(cut=st.integers(0, len(EXT) - 1))
def test_types_cut_short_are_never_taken_for_none(cut: int) -> None:
    assert "damaged: .BTF.ext" in refused(with_types(BTF, EXT[:cut]), "kprobe/a")


@given(cut=st.integers(4, len(WITH_MAP) - 1))
def test_a_file_cut_short_is_a_users_error(cut: int) -> None:
    with pytest.raises(UserError):
        source.read(WITH_MAP[:cut], Format.OBJECT_FILE)


@given(at=st.integers(0, len(WITH_MAP) - 1), byte=st.integers(0, 255))
def test_a_damaged_file_is_read_or_a_users_error(at: int, byte: int) -> None:
    damaged = WITH_MAP[:at] + bytes([byte]) + WITH_MAP[at + 1 :]
    try:
        source.read(damaged, Format.OBJECT_FILE)
    except UserError as error:
        assert "\n" not in str(error)
