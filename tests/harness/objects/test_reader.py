# SPDX-License-Identifier: MIT
"""What is found in an object, part by part."""

from __future__ import annotations

import struct

import pytest

from harness.isa.assemble import R0, R1, exit_, ld_imm64, mov64_imm
from harness.isa.instruction import Instruction
from harness.objects.externs import config_content
from harness.objects.object_file import ObjectFile, Origin
from harness.objects.reader import read
from harness.objects.reasons import Line, Reason, Refused
from harness.objects.twins import twins
from harness.script.operations import CreateMap, ProgramType, Ref
from tests.harness.objects.building import CALL, everything, section, tail_caller
from tests.harness.objects.types import Types
from tests.harness.programs.elf import (
    ALLOC,
    EXEC,
    FUNC,
    LOCAL,
    NOTYPE,
    SECTION,
    Relocation,
    Section,
    Symbol,
    object_file,
)


@pytest.fixture(scope="module")
def whole() -> ObjectFile:
    return read(everything())


def test_nothing_of_it_is_refused(whole: ObjectFile) -> None:
    assert whole.refusals == ()
    assert [program.refusal for program in whole.programs] == [None, None, None]
    assert (whole.byte_order, whole.license) == ("little", "GPL")


def test_the_version_of_the_running_kernel(whole: ObjectFile) -> None:
    assert (whole.version, whole.kern_version) == (0xFFFFFFFE, None)


def test_programs_by_section_and_symbol(whole: ObjectFile) -> None:
    assert [(one.name, one.section) for one in whole.programs] == [
        ("one", "kprobe/f"),
        ("two", "kprobe/f"),
        ("entry", "?fentry/f"),
    ]
    entry = whole.programs[2].meaning
    assert entry and (entry.type, entry.target, entry.optional) == (ProgramType.TRACING, "f", True)
    assert whole.programs[2].needs == (Reason.NEEDS_ATTACH_TYPE,)


def test_functions_come_behind_what_calls_them(whole: ObjectFile) -> None:
    one, two = whole.programs[:2]
    assert one.functions == ((0, "one"), (5, "branch"), (7, "leaf"))
    assert [one.program.instructions[at].imm for at in (2, 5)] == [2, 1]
    assert two.functions == ((0, "two"), (6, "leaf"))
    assert two.program.instructions[2] == Instruction(0x85, src=1, imm=3)
    assert (one.function(5), two.function(5)) == ("branch", "two")


def test_maps_data_and_configuration_that_instructions_refer_to(whole: ObjectFile) -> None:
    one, two = whole.programs[:2]
    assert one.program.maps == ((0, Ref("hits")),)
    assert two.program.maps == ((0, Ref(".rodata")), (3, Ref(".kconfig")))
    assert (two.program.instructions[0].src, two.program.instructions[1].imm) == (2, 4)
    assert [pending.reason for pending in two.pending] == [Reason.NEEDS_CONFIG]
    assert "is relocated to the kernel's own task_struct when it is loaded" in one.pending[0].what
    assert (one.pending[0].instruction, one.needs) == (3, (Reason.NEEDS_KERNEL_TYPES,))


def test_instructions_name_their_lines(whole: ObjectFile) -> None:
    one, two = whole.programs[:2]
    assert one.line(3) == Line("probe.c", 10, 0, "int one(void *ctx)")
    assert str(two.line(5)) == "probe.c:20"
    assert (one.line(5), one.line(8), two.line(6)) == (None, None, None)


def test_every_way_to_define_a_map(whole: ObjectFile) -> None:
    found = {map.name: map for map in whole.maps}
    assert found["hits"].create() == CreateMap("hits", 1, 4, 8, 64)
    assert (found["hits"].key, found["hits"].value) == ("int", "u64")
    outer = found["outer"]
    assert (outer.type_name, outer.create()) == ("array_of_maps", CreateMap("outer", 12, 4, 4, 4))
    assert outer.inner and (outer.inner.type_name, outer.inner.max_entries) == ("array", 1)
    assert outer.slots == ((0, "hits"),)
    assert found["legacy"].create() == CreateMap("legacy", 1, 4, 8, 16)
    assert found["legacy"].told == {"pinning": 2, "namespace": "ns"}
    data = found[".rodata"]
    assert (data.origin, data.content, data.frozen) == (Origin.DATA, b"0123456789", True)
    assert data.create() == CreateMap(".rodata", 2, 4, 10, 1, 0x480)
    assert (found[".kconfig"].origin, found[".kconfig"].value_size) == (Origin.CONFIG, 13)


def test_what_the_configuration_says_is_laid_out_as_libbpf_does(whole: ObjectFile) -> None:
    config = {"CONFIG_HZ": "250", "CONFIG_BPF_SYSCALL": "y", "CONFIG_NAME": '"abc"'}
    content, missing = config_content(whole.externs, config, 0x60100)
    assert [(one.name, one.offset) for one in whole.externs] == [
        ("CONFIG_HZ", 0),
        ("CONFIG_NAME", 4),
        ("CONFIG_BPF_SYSCALL", 12),
    ]
    assert (content, missing) == (struct.pack("<I8s?", 250, b"abc", True), ())
    assert config_content(whole.externs, {"CONFIG_HZ": "big"}, 0)[1] == (
        "CONFIG_HZ",
        "CONFIG_NAME",
        "CONFIG_BPF_SYSCALL",
    )


def test_twins(whole: ObjectFile) -> None:
    assert [[one.name for one in group] for group in twins(whole.programs)] == [["one", "two", "entry"]]
    names = ("ksyscall/openat", "kprobe/__x64_sys_openat", "tp/syscalls/sys_enter_openat", "kretprobe/sys_openat")
    others = ("tp_btf/sched_switch", "raw_tp/sched_switch", "kprobe/sched_switch", "kprobe/alone")
    file = read(object_file(*(section(name, exit_()) for name in (*names, *others))))
    groups = [[one.section for one in group] for group in twins(file.programs)]
    assert groups == [[*names[:3]], ["tp_btf/sched_switch", "raw_tp/sched_switch"]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(order: str) -> None:
    code = struct.pack(f"{order}BBhi", 0xB7, 0x10 if order == ">" else 0x01, 0, 7)
    record = struct.pack(f"{order}5I", 1, 4, 8, 16, 1)
    content = object_file(
        Section("kprobe/f", code, ALLOC | EXEC), Section("maps", record), symbols=(Symbol("m", 2),), order=order
    )
    file = read(content)
    assert file.programs[0].program.instructions == (Instruction(0xB7, 1, 0, 0, 7),)
    assert file.maps[0].create() == CreateMap("m", 1, 4, 8, 16, 1)


@pytest.mark.parametrize(
    ("record", "reason", "told"),
    [
        ((1, 4, 8, 2), None, {}),
        ((1, 4, 8, 2, 1), None, {}),
        ((12, 4, 4, 2, 0, 1, 3), None, {"inner map index": 1, "node": 3}),
        ((1, 4, 8, 2, 0, 5, 1, 0, 0), None, {"id": 5, "pinning": 1}),
        ((1, 4, 8, 2, 0, 9), Reason.UNKNOWN_MAP_FIELD, {}),
        ((1, 4, 8), Reason.BAD_MAP, {}),
    ],
)
def test_legacy_maps_by_the_length_of_their_records(
    record: tuple[int, ...], reason: Reason | None, told: dict[str, int]
) -> None:
    content = object_file(
        section("kprobe/f", exit_()),
        Section("maps", struct.pack(f"<{len(record)}I", *record)),
        symbols=(Symbol("m", 2),),
    )
    file = read(content)
    assert [refusal.reason for refusal in file.refusals] == ([reason] if reason else [])
    assert [dict(map.told) for map in file.maps] == ([] if reason else [told])


@pytest.mark.parametrize(("name", "found"), [("lirc_mode2/maps", "m"), ("maps/maps", "maps")])
def test_maps_in_sections_of_a_loaders_own(name: str, found: str) -> None:
    content = object_file(
        section("lirc_mode2/nec", ld_imm64(R1, 0), exit_()),
        Section(name, struct.pack("<4I", 1, 4, 8, 16)),
        symbols=(Symbol("m", 2, size=16),),
        relocations=(Relocation(1, 0, 1),),
    )
    file = read(content)
    assert [map.name for map in file.maps] == [found]
    assert file.programs[0].program.maps == ((0, Ref(found)),)
    assert file.sections[1].role in ("maps", "map")


def test_symbols_of_old_compilers_are_functions_too() -> None:
    code = section("kprobe/f", mov64_imm(R0, 1), exit_(), exit_())
    symbols = (Symbol("f", 1, NOTYPE), Symbol("LBB0_1", 1, NOTYPE, 8, binding=LOCAL), Symbol("g", 1, NOTYPE, 16))
    file = read(object_file(code, symbols=symbols))
    assert [(one.name, len(one.program.instructions)) for one in file.programs] == [("f", 2), ("g", 1)]


def test_a_label_beside_functions_begins_none() -> None:
    code = section("kprobe/f", mov64_imm(R0, 1), exit_())
    file = read(object_file(code, symbols=(Symbol("f", 1, FUNC, 0, 16), Symbol("label", 1, NOTYPE, 8))))
    assert [one.name for one in file.programs] == ["f"]


def test_a_map_of_programs_that_names_them_holds_descriptors() -> None:
    (found,) = read(tail_caller()).maps
    assert (found.type_name, found.slots) == ("prog_array", ((1, "called"),))
    assert found.create() == CreateMap("next", 3, 4, 4, 2)


def test_operations_of_the_kernel_with_the_programs_in_them() -> None:
    types = Types()
    shape = types.struct("tcp_congestion_ops", 16)
    types.section(".struct_ops.link", (types.variable("first", shape), 0, 16), (types.variable("mine", shape), 16, 16))
    content = object_file(
        section("struct_ops/init", exit_()),
        Section(".struct_ops.link", bytes(32)),
        Section(".BTF", types.content()),
        symbols=(Symbol("init", 1, FUNC, 0, 8), Symbol("first", 2, size=16), Symbol("mine", 2, value=16, size=16)),
        relocations=(Relocation(2, 24, 1, 2),),
    )
    first, mine = read(content).maps
    assert (first.slots, mine.slots) == ((), ((8, "init"),))
    assert (mine.type_name, mine.value, mine.flags) == ("struct_ops", "struct tcp_congestion_ops", 1 << 13)


def test_a_section_longer_than_the_file() -> None:
    content = bytearray(object_file(section("socket", exit_())))
    (table,) = struct.unpack_from("<Q", content, 40)
    struct.pack_into("<Q", content, table + 64 + 32, len(content))  # sh_size of section 1
    with pytest.raises(Refused, match="section socket ends behind its end") as error:
        read(bytes(content))
    assert error.value.refusal.reason is Reason.DAMAGED


def test_what_others_call_is_no_program_whatever_its_section() -> None:
    content = object_file(
        section("socket", CALL, exit_()),
        section("static", mov64_imm(R0, 1), exit_()),
        section("alone", exit_()),
        symbols=(Symbol("main", 1, FUNC, 0, 16), Symbol("leaf", 2, FUNC, 0, 16)),
        relocations=(Relocation(1, 0, 2, 10),),
    )
    file = read(content)
    assert [(one.name, one.meaning is None) for one in file.programs] == [("main", False), ("alone", True)]
    assert [one.role for one in file.sections[:3]] == ["socket_filter", "functions", ""]


def test_the_address_of_a_function() -> None:
    content = object_file(
        section("socket", ld_imm64(R1, 0), exit_()),
        section(".text", exit_(), mov64_imm(R0, 1), exit_()),
        symbols=(Symbol("main", 1, FUNC, 0, 24), Symbol("callback", 2, FUNC, 8, 16)),
        relocations=(Relocation(1, 0, 2),),
    )
    (program,) = read(content).programs
    assert program.program.instructions[0] == Instruction(0x18, R1, 4, 0, 2)


@pytest.mark.parametrize(
    ("symbol", "type", "reason"),
    [
        (Symbol("gone", 0), 1, Reason.UNDEFINED_SYMBOL),
        (Symbol("gone", 0), 7, Reason.BAD_RELOCATION),
        (Symbol("odd", 2), 1, Reason.UNSUPPORTED_REFERENCE),
        (Symbol("", 3, SECTION), 1, Reason.UNNAMED_MAP),
    ],
)
def test_references_that_lead_nowhere(symbol: Symbol, type: int, reason: Reason) -> None:
    content = object_file(
        section("kprobe/a", ld_imm64(R1, 0), exit_()),
        Section("odd", bytes(8)),
        Section("maps", bytes(16)),
        section("kprobe/b", exit_()),
        symbols=(symbol,),
        relocations=(Relocation(1, 0, 1, type),),
    )
    wrong, right = read(content).programs
    assert wrong.refusal and (wrong.refusal.reason, wrong.refusal.instruction) == (reason, 0)
    assert right.refusal is None


@pytest.mark.parametrize("imm", [5, -3])
def test_a_call_into_the_middle_of_something(imm: int) -> None:
    content = object_file(
        section("socket", Instruction(0x85, src=1, imm=imm), exit_()),
        section(".text", exit_(), exit_()),
        symbols=(Symbol("", 2, SECTION),),
        relocations=(Relocation(1, 0, 1, 10),),
    )
    (program,) = read(content).programs
    assert program.refusal and program.refusal.reason is Reason.BAD_CALL


def test_functions_that_cannot_be() -> None:
    content = object_file(section("socket", exit_()), symbols=(Symbol("f", 1, FUNC, 0, 64),))
    (program,) = read(content).programs
    assert program.refusal and program.refusal.reason is Reason.BAD_FUNCTION


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text", Reason.NOT_ELF),
        (object_file(section("a", exit_()), machine=62), Reason.NOT_BPF),
        (object_file(section("a", exit_()))[:70], Reason.DAMAGED),
    ],
)
def test_files_that_are_no_objects(content: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as error:
        read(content)
    assert error.value.refusal.reason is reason


def test_every_reason_is_a_sentence() -> None:
    for reason in Reason:
        assert len(reason.value.split()) > 3 and not reason.value.endswith(".")
