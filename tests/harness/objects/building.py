# SPDX-License-Identifier: MIT
"""Objects of our own that have all that there is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ld_imm64,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.isa.instruction import SIZE, Instruction, encode
from harness.objects.btf.types import Kind
from tests.harness.objects.types import Types
from tests.harness.programs.elf import ALLOC, EXEC, FUNC, SECTION, WRITE, Relocation, Section, Symbol, object_file

FOR_EACH_MAP_ELEM = 164
CALL = Instruction(0x85, src=1, imm=-1)


def code(*pieces: Piece) -> bytes:
    """The bytes of a program."""
    return encode(program(*pieces).instructions)


def section(name: str, *pieces: Piece) -> Section:
    """A section of instructions."""
    return Section(name, code(*pieces), ALLOC | EXEC)


def everything() -> bytes:
    """Two kprobes in one section, which call functions of .text; an optional fentry; maps of each kind, data, values of
    the configuration, lines, and a relocation to a kernel's types."""
    types = Types()
    number, text = types.int(), types.int("char", 1, 0)
    key, value = types.pointer(number), types.pointer(types.int("u64", 8, 0))
    hits = types.struct(
        "",
        32,
        type=(types.number(1), 0),
        key=(key, 64),
        value=(value, 128),
        max_entries=(types.number(64), 192),
    )
    inner = types.struct(
        "inner", 32, type=(types.number(2), 0), key=(key, 64), value=(key, 128), max_entries=(types.number(1), 192)
    )
    outer = types.struct(
        "",
        24,
        type=(types.number(12), 0),
        max_entries=(types.number(4), 64),
        key_size=(types.number(4), 128),
        values=(types.array(types.pointer(inner), 0), 192),
    )
    types.section(".maps", (types.variable("hits", hits), 0, 32), (types.variable("outer", outer), 32, 24))
    boolean = types.int("_Bool", 1, 4)
    types.section(
        ".kconfig",
        (types.variable("CONFIG_HZ", number, 2), 0, 4),
        (types.variable("CONFIG_BPF_SYSCALL", boolean, 2), 0, 1),
        (types.variable("CONFIG_NAME", types.array(text, 8), 2), 0, 8),
    )
    task = types.struct("task_struct___old", 8, pid=(number, 32))
    more = types.extension(
        "kprobe/f",
        lines=((0, "probe.c", 10, "int one(void *ctx)"), (40, "probe.c", 20, "int two(void *ctx)")),
        core=((24, task, "0:0", 0),),
    )
    proto = types.add(Kind.FUNC_PROTO, "", number, count=0)
    types.add(Kind.FUNC, "one", proto, count=1)
    one: tuple[Piece, ...] = (ld_imm64(R1, 0), CALL, mov64_imm(R0, 4), exit_())
    two: tuple[Piece, ...] = (ld_imm64(R1, 4), CALL, ld_imm64(R2, 0), exit_())
    first = section("kprobe/f", *one, *two)
    helpers = section(".text", mov64_imm(R0, 1), exit_(), CALL, exit_())
    return object_file(
        first,
        section("?fentry/f", mov64_imm(R0, 0), exit_()),
        helpers,
        Section(".maps", bytes(64), ALLOC | WRITE),
        Section(".rodata", b"0123456789", ALLOC),
        Section("maps/legacy", struct.pack("<6I256s", 1, 4, 8, 16, 0, 2, b"ns")),
        Section("license", b"GPL\0"),
        Section("version", struct.pack("<I", 0xFFFFFFFE)),
        Section(".BTF", types.content()),
        Section(".BTF.ext", more),
        symbols=(
            Symbol("one", 1, FUNC, 0, 40),
            Symbol("two", 1, FUNC, 40, 48),
            Symbol("entry", 2, FUNC, 0, 16),
            Symbol("leaf", 3, FUNC, 0, 16),
            Symbol("branch", 3, FUNC, 16, 16),
            Symbol("hits", 4, size=32),
            Symbol("outer", 4, value=32, size=24),
            Symbol("", 5, SECTION),
            Symbol("CONFIG_HZ", 0),
            Symbol("CONFIG_NAME", 0),
            Symbol("CONFIG_BPF_SYSCALL", 0),
        ),
        relocations=(
            Relocation(1, 0, 6),
            Relocation(1, 16, 5, 10),
            Relocation(1, 40, 8),
            Relocation(1, 56, 4, 10),
            Relocation(1, 64, 9),
            Relocation(3, 16, 4, 10),
            Relocation(4, 56, 6, 2),
        ),
    )


def moved() -> bytes:
    """A program that copies a register, and nothing else in the file: the least there can be."""
    return object_file(section("socket", mov64_reg(R0, R1), exit_()))


def tail_caller(second: str = "socket/called", slot: str = "called") -> bytes:
    """A program that tail-calls another one of the object, which the map `next` has in slot 1: a function in the
    section `second`. `slot` is what stands in the slot."""
    types = Types()
    number = types.int()
    handler = types.pointer(types.add(Kind.FUNC_PROTO, "", number))
    shape = types.struct(
        "",
        24,
        type=(types.number(3), 0),
        max_entries=(types.number(2), 64),
        key_size=(types.number(4), 128),
        values=(types.array(handler, 0), 192),
    )
    types.section(".maps", (types.variable("next", shape), 0, 24))
    caller: tuple[Piece, ...] = (ld_imm64(R2, 0), mov64_imm(R3, 1), call(Helper.TAIL_CALL), mov64_imm(R0, 0), exit_())
    names = {"caller": 1, "called": 2, "next": 3}
    return object_file(
        section("socket", *caller),
        section(second, mov64_imm(R0, 7), exit_()),
        Section(".maps", bytes(40), ALLOC | WRITE),
        Section("license", b"GPL\0"),
        Section(".BTF", types.content()),
        symbols=(
            Symbol("caller", 1, FUNC, 0, 48),
            Symbol("called", 2, FUNC, 0, 16),
            Symbol("next", 3, size=40),
        ),
        relocations=(Relocation(1, 0, 3), Relocation(3, 32, names[slot], 2)),
    )


@dataclass(frozen=True)
class Called:
    """A function of .text that a program calls, or passes to bpf_for_each_map_elem() as its `callback`. With `pointer`
    it reads a number through its argument."""

    name: str = "called"
    linkage: int = 1
    visibility: int = 0
    callback: bool = False
    typed: bool = True
    pointer: bool = False


DEFAULT = Called()


def typed(called: Called = DEFAULT, home: str = "kprobe/cap_task_prctl") -> bytes:
    """An object compiled with types and lines: the program `main`, and the function that it calls."""
    types = Types()
    number = types.int()
    argument = types.pointer(types.int("u64", 8, 0)) if called.pointer else number
    main = types.add(Kind.FUNC, "main", types.add(Kind.FUNC_PROTO, "", number), count=1)
    takes = types.add(Kind.FUNC_PROTO, "", number, types.string("argument"), argument, count=1)
    other = types.add(Kind.FUNC, called.name, takes, count=called.linkage)
    functions = ((home, 0, main), (".text", 0, other))
    extension = types.extension(
        home,
        lines=((0, "typed.c", 3, "int main(void *ctx)"),),
        called=((0, "typed.c", 1, "int called(int argument)"),),
        functions=functions if called.typed else functions[:1],
    )
    calls: tuple[Piece, ...] = (mov64_imm(R1, 5), CALL)
    if called.callback:
        calls = (ld_imm64(R1, 0), ld_imm64(R2, 0), mov64_imm(R3, 0), mov64_imm(R4, 0), call(FOR_EACH_MAP_ELEM))
    elif called.pointer:
        calls = (st(DW, R10, -8, 1), mov64_reg(R1, R10), add64_imm(R1, -8), CALL)
    body = code(*calls, mov64_imm(R0, 0), exit_())
    at = len(body) - 3 * SIZE
    read: tuple[Piece, ...] = (jeq_imm(R1, 0, 1), ldx(DW, R1, R1, 0)) if called.pointer else ()
    function = section(".text", *read, mov64_imm(R0, 0), exit_())
    return object_file(
        Section(home, body, ALLOC | EXEC),
        function,
        Section("maps", struct.pack("<5I", 2, 4, 8, 1, 0)),
        Section("license", b"GPL\0"),
        Section(".BTF", types.content()),
        Section(".BTF.ext", extension),
        symbols=(
            Symbol("main", 1, FUNC, 0, len(body)),
            Symbol("called", 2, FUNC, 0, len(function.content), visibility=called.visibility),
            Symbol("hits", 3, size=20),
        ),
        relocations=(Relocation(1, 0, 3), Relocation(1, 16, 2)) if called.callback else (Relocation(1, at, 2, 10),),
    )
