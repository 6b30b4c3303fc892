# SPDX-License-Identifier: MIT
"""Programs adjusted to the types of a kernel: what relo_core.c of 7.2 makes of each kind of relocation."""

from __future__ import annotations

import pytest

from harness.isa.assemble import R0, R1, exit_, ld_imm64, ldx, mov64_imm
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Size
from harness.objects.adjusting import POISON, adjusted
from harness.objects.btf.ext import CoreKind
from harness.objects.btf.reader import Btf
from harness.objects.btf.types import Kind
from harness.objects.object_file import ObjectProgram
from harness.objects.reader import read
from harness.objects.reasons import Reason, Refused
from tests.harness.objects.building import section
from tests.harness.objects.types import Types
from tests.harness.programs.elf import Section, object_file


def kernel() -> Btf:
    """Where what is asked for is somewhere else than in the object."""
    types = Types()
    number, wide = types.int(), types.int("u64", 8, 0)
    narrow = types.int("u16", 2, 0)
    types.enumeration("state", IDLE=7, BUSY=9)
    union = types.add(Kind.UNION, "", 8, types.string("pid"), number, 0, types.string("tgid"), number, 0, count=2)
    types.add(
        *(Kind.STRUCT, "task", 64),
        *(0, union, 64, types.string("seen"), narrow, 256, types.string("names"), types.array(wide, 4), 320),
        count=3,
    )
    # Two bits at bit 5 of byte 3, kind_flag set: size in the upper byte.
    types.add(Kind.STRUCT, "flags", 4, types.string("mode"), number, 2 << 24 | 29, count=1, flag=True)
    types.struct("twice", 8, a=(number, 0))
    types.struct("twice", 8, a=(number, 32))
    return Btf(types.content())


def program(kind: CoreKind, root: str, access: str, code: tuple[Instruction, ...]) -> tuple[ObjectProgram, Btf]:
    """A program whose first instruction is relocated."""
    types = Types()
    number = types.int()
    wide = types.int("u64", 8, 0)
    numbers = {
        "task": types.struct(
            *("task___mine", 24),
            pid=(number, 0),
            seen=(wide, 64),
            names=(types.array(number, 2), 128),
            gone=(number, 96),
        ),
        "flags": types.add(Kind.STRUCT, "flags", 4, types.string("mode"), number, 3 << 24 | 4, count=1, flag=True),
        "state": types.enumeration("state", BUSY=1, LOST=2),
        "twice": types.struct("twice", 4, a=(number, 0)),
        "missing": types.struct("missing", 4, a=(number, 0)),
    }
    more = types.extension("kprobe/f", lines=((0, "probe.c", 5, "x"),), core=((0, numbers[root], access, kind),))
    content = object_file(
        section("kprobe/f", *code, exit_()), Section(".BTF", types.content()), Section(".BTF.ext", more)
    )
    file = read(content)
    assert file.btf and not file.refusals
    return file.programs[0], file.btf


def first(kind: CoreKind, root: str, access: str, *code: Instruction) -> Instruction:
    """The instruction when it was adjusted."""
    found, local = program(kind, root, access, code or (mov64_imm(R0, 0),))
    result = adjusted(found, local, kernel())
    assert result.missing == () and result.program.pending == ()
    return result.program.program.instructions[0]


@pytest.mark.parametrize(
    ("kind", "root", "access", "value"),
    [
        (CoreKind.FIELD_BYTE_OFFSET, "task", "0:0", 8),  # within an anonymous union
        (CoreKind.FIELD_BYTE_OFFSET, "task", "1:0", 72),  # of the second of an array of tasks
        (CoreKind.FIELD_BYTE_OFFSET, "task", "0:1", 32),
        (CoreKind.FIELD_BYTE_OFFSET, "task", "0:2:1", 48),
        (CoreKind.FIELD_BYTE_SIZE, "task", "0:1", 2),
        (CoreKind.FIELD_EXISTS, "task", "0:0", 1),
        (CoreKind.FIELD_EXISTS, "task", "0:3", 0),
        (CoreKind.FIELD_EXISTS, "missing", "0:0", 0),
        (CoreKind.FIELD_SIGNED, "task", "0:0", 1),
        (CoreKind.FIELD_SIGNED, "task", "0:1", 0),
        (CoreKind.FIELD_BYTE_OFFSET, "flags", "0:0", 0),
        (CoreKind.FIELD_LSHIFT_U64, "flags", "0:0", 33),  # 64 - (29 + 2)
        (CoreKind.FIELD_RSHIFT_U64, "flags", "0:0", 62),
        (CoreKind.TYPE_EXISTS, "task", "0", 1),
        (CoreKind.TYPE_EXISTS, "missing", "0", 0),
        (CoreKind.TYPE_SIZE, "task", "0", 64),
        (CoreKind.TYPE_SIZE, "missing", "0", 0),
        (CoreKind.TYPE_ID_LOCAL, "task", "0", 4),
        (CoreKind.TYPE_ID_TARGET, "task", "0", 7),
        (CoreKind.ENUMVAL_EXISTS, "state", "0", 1),
        (CoreKind.ENUMVAL_EXISTS, "state", "1", 0),
        (CoreKind.ENUMVAL_VALUE, "state", "0", 9),
    ],
)
def test_what_an_immediate_becomes(kind: CoreKind, root: str, access: str, value: int) -> None:
    assert first(kind, root, access) == Instruction(0xB7, R0, imm=value)


def test_a_64_bit_constant() -> None:
    found, local = program(CoreKind.FIELD_BYTE_OFFSET, "task", "0:1", tuple(ld_imm64(R1, 8)))
    low, high, _ = adjusted(found, local, kernel()).program.program.instructions
    assert (low.imm, high.imm) == (32, 0)


def test_an_access_takes_the_width_of_an_unsigned_field() -> None:
    assert first(CoreKind.FIELD_BYTE_OFFSET, "task", "0:1", ldx(Size.DW, R0, R1, 8)) == ldx(Size.H, R0, R1, 32)


def test_an_access_of_the_same_width_stays_as_it_is() -> None:
    assert first(CoreKind.FIELD_BYTE_OFFSET, "task", "0:0", ldx(Size.W, R0, R1, 0)) == ldx(Size.W, R0, R1, 8)


def test_a_signed_field_of_another_width_is_refused() -> None:
    found, local = program(CoreKind.FIELD_BYTE_OFFSET, "task", "0:2:0", (ldx(Size.W, R0, R1, 16),))
    with pytest.raises(Refused, match=r"accesses 4 bytes of a field that has 8 in this kernel, at probe\.c:5"):
        adjusted(found, local, kernel())


def test_what_the_kernel_has_not_is_a_call_of_no_helper() -> None:
    found, local = program(CoreKind.FIELD_BYTE_OFFSET, "task", "0:3", (mov64_imm(R0, 0),))
    result = adjusted(found, local, kernel())
    assert result.program.program.instructions[0] == Instruction(0x85, imm=POISON)
    (missing,) = result.missing
    assert missing.reason is Reason.FIELD_MISSING
    assert str(missing) == (
        "instruction 0 of kprobe/f asks for struct task___mine.gone, which this kernel has not, at probe.c:5"
    )


def test_types_of_one_name_that_differ() -> None:
    found, local = program(CoreKind.FIELD_BYTE_OFFSET, "twice", "0:0", (mov64_imm(R0, 0),))
    with pytest.raises(Refused, match=r"asks for struct twice\.a, of which this kernel has several") as error:
        adjusted(found, local, kernel())
    assert error.value.refusal.reason is Reason.AMBIGUOUS_TYPE
