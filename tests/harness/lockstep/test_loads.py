# SPDX-License-Identifier: MIT
"""Programs as records of a JIT compiler show them, on kernels that do not tell of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R1, R2, R6, R10, W
from harness.isa.instruction import SIZE, Instruction, encode
from harness.lockstep.images import origins
from harness.lockstep.loads import COMPILER, FREE, INTERPRETER, loads
from harness.script.operations import LoadProgram, ProgramType, Script
from harness.script.outcome import Outcome
from hil.errors import BenchError, UserError
from hil.gdb.symbols import Symbol
from hil.gdb.table import SymbolTable
from hil.recorder import Record

COMPILED, FREED, RUN = 0xFFFF_FFFF_8104_6170, 0xFFFF_FFFF_8115_C620, 0xFFFF_FFFF_810F_6A00
IMAGE = 0xFFFF_FFFF_A000_4000
CODE = {
    "x86_64": b"\x55\x49\x89\xfc\xe8" + struct.pack("<i", FREED - COMPILED - 9) + b"\x5d\xc3",
    "arm64": b"".join(
        word.to_bytes(4, "little")
        for word in (0xA9BA7BFD, 0xAA0003F3, 0x94000000 | (FREED - COMPILED - 8 >> 2) & 0x3FFFFFF, 0xD65F03C0)
    ),
}
"""push; mov r12, rdi; call; pop; ret. And stp; mov x19, x0; bl; ret."""
BODY = asm.program(
    asm.mov64_reg(R6, R1),
    asm.ld_imm64(R2, 7),
    asm.ldx(W, R0, R6, 0),
    asm.mov64_imm(R0, 1),
    asm.exit_(),
)
LOAD = LoadProgram("it", ProgramType.SOCKET_FILTER, BODY)
OTHER = LoadProgram("other", ProgramType.SOCKET_FILTER, asm.program(asm.mov64_imm(R0, 0), asm.exit_()))


def symbols(*left_out: str) -> SymbolTable:
    all_of_them = (
        Symbol(COMPILER, COMPILED, True, size=len(CODE["arm64"])),
        Symbol(FREE, FREED, True, size=64),
        Symbol(INTERPRETER, RUN, True, size=4096),
    )
    return SymbolTable(one for one in all_of_them if one.name not in left_out)


def words(content: bytes, size: int) -> tuple[int, ...]:
    return struct.unpack(f"<{size // 8}Q", content.ljust(size, b"\0"))


def record(order: int, code: Sequence[Instruction], ends: Sequence[int], image: bytes, at: int = IMAGE) -> Record:
    """What the plugin writes where the compiler frees its array."""
    program = struct.pack("<4xI24xQ", len(code), at) + encode(code)
    assert len(program) == 40 + SIZE * len(code)
    places = words(struct.pack(f"<{len(ends)}i", *ends), 4 * 4096)
    return Record(
        order, 1, 0, False, frozenset(), (0, 1, 2, *places, at, *words(image, 1 << 16), *words(program, 40 + 8 * 4096))
    )


def test_the_places_of_a_compiled_program_are_known_on_x86_64() -> None:
    seen = loads("x86_64", "4.1", symbols(), lambda *_: CODE["x86_64"], compiled=True)
    assert seen.place == COMPILED + 4
    assert seen.group.registers == (5, 12) and len(seen.group.windows) == 4
    # Bytes with the prologue of 40; the end of a 64 bit constant is at its second half.
    one = record(5, BODY.instructions, (43, 107, 53, 60, 65, 80), b"\x55" * 80)
    other = record(3, OTHER.program.instructions, (45, 47), b"\x55" * 50)
    script = Script("two", "", (OTHER, LOAD, replace(LOAD, name="refused")))
    done = Outcome(3, None)
    told = seen.codes(script, (done, done, Outcome(None, "EINVAL")), [one, other])
    assert [code.name for code in told] == ["other", "it"]
    assert told[1].lines == ((0, 0), (1, 1), (3, 3), (4, 4), (5, 5))
    assert [address - IMAGE for address in told[1].native] == [0, 43, 53, 60, 65]
    assert told[1].functions[0][0] == IMAGE and told[1].image.startswith(b"\x55" * 80)
    assert told[1].translated == encode(BODY.instructions)


@pytest.mark.parametrize(("third", "prologue"), [(0xD10883FF, 6), (0xA9BF63F7, 7)])
def test_the_places_of_a_compiled_program_are_known_on_arm64(third: int, prologue: int) -> None:
    seen = loads("arm64", "4.1", symbols(), lambda *_: CODE["arm64"], compiled=True)
    assert seen.place == COMPILED + 8
    assert seen.group.registers == (0, 19)
    # Instructions without the prologue; the end of a 64 bit constant is at its first half.
    image = struct.pack("<3I", 0xA9BF53F3, 0xA9BF5BF5, third)
    (told,) = seen.codes(
        Script("one", "", (LOAD,)), (Outcome(3, None),), [record(0, BODY.instructions, (1, 5, 0, 7, 8, 8), image)]
    )
    assert [address - IMAGE for address in told.native] == [0, *(4 * (prologue + end) for end in (1, 5, 7, 8))]


def test_a_program_that_the_compiler_refused_has_no_native_code() -> None:
    seen = loads("arm64", "4.1", symbols(), lambda *_: CODE["arm64"], compiled=True)
    left = record(0, BODY.instructions, (1, 5, 0, 7, 8, 8), b"", at=RUN + 8)
    (told,) = seen.codes(Script("one", "", (LOAD,)), (Outcome(3, None),), [left])
    assert told.translated and not told.native and not told.image


def test_under_the_interpreter_only_the_program_is_recorded() -> None:
    seen = loads("x86_64", "4.1", symbols(), lambda *_: CODE["x86_64"], compiled=False)
    assert (seen.place, seen.group.registers, len(seen.group.windows)) == (COMPILED, (5,), 1)
    program = struct.pack("<4xI32x", len(BODY.instructions)) + encode(BODY.instructions)
    entered = Record(0, 1, 0, False, frozenset(), (COMPILED, 1, *words(program, 40 + 8 * 4096)))
    (told,) = seen.codes(Script("one", "", (LOAD,)), (Outcome(3, None),), [entered])
    assert told.translated == encode(BODY.instructions) and not told.native


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (4, 2), (8, 1), (20, 3), (24, 2)])
def test_what_became_of_a_load_from_a_packets_context_is_known(offset: int, size: int) -> None:
    became = tuple(asm.ldx(DW, R0, R6, 64) for _ in range(size))
    given = asm.program(asm.mov64_reg(R6, R1), asm.ldx(W, R0, R6, offset), asm.exit_())
    translated = encode((given.instructions[0], *became, given.instructions[-1]))
    load = LoadProgram("it", ProgramType.SOCKET_FILTER, given)
    assert origins(translated, load) == ((0, 0), (1, 1), (1 + size, 2))
    assert origins(translated, LoadProgram("it", ProgramType.KPROBE, given)) is None
    assert origins(translated[:-SIZE], load) is None


def test_what_the_kernel_puts_in_is_no_difference() -> None:
    given = asm.program(asm.ld_map_fd(R1, 0), asm.ldx(W, R0, R10, -4), asm.call(1), asm.exit_())
    first, second, load, call, end = given.instructions
    inside = (
        Instruction(first.code, first.dst, 0, 0, -559038737),
        Instruction(0, 0, 0, 0, -2),
        Instruction(load.code, load.dst, load.src, load.off, 6),
        Instruction(call.code, 0, 0, 0, 24320),
        end,
    )
    assert second.code == 0
    lines = origins(encode(inside), LoadProgram("it", ProgramType.KPROBE, given))
    assert lines == ((0, 0), (2, 2), (3, 3), (4, 4))


@pytest.mark.parametrize("name", [COMPILER, FREE, INTERPRETER])
def test_a_kernel_without_the_symbols_is_refused(name: str) -> None:
    with pytest.raises(BenchError, match="lacks one of the symbols"):
        loads("x86_64", "4.1", symbols(name), lambda *_: CODE["x86_64"], compiled=True)


def test_a_compiler_that_is_built_otherwise_is_refused() -> None:
    with pytest.raises(BenchError, match="calls kfree 0 times"):
        loads("x86_64", "4.1", symbols(), lambda *_: b"\x90" * 16, compiled=True)


def test_releases_that_nobody_looked_up_are_refused() -> None:
    with pytest.raises(UserError, match="does not tell what it makes"):
        loads("x86_64", "4.4", symbols(), lambda *_: CODE["x86_64"], compiled=True)
