# SPDX-License-Identifier: MIT
"""Going back in a record: registers, stack and maps before any instruction of a run, without a machine."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.core_scripts import core_scripts
from harness.debug import commands
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R1, R2, R6, R7, R8, R10, W
from harness.isa.instruction import Instruction
from harness.isa.opcodes import STACK_SIZE, Atomic, Helper
from harness.lockstep.past import Moment, lines, moment, overview
from harness.lockstep.taken import Taken, TakenStep, read, taken, write
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    MapType,
    Operation,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)
from hil.errors import UserError
from tests.harness.lockstep.pretended import pretend
from tests.harness.lockstep.test_comparing import LANE

NAME = "debian-12/x86_64/interp"
NEW = replace(LANE, era="7.2", version_code=0x070200)
"""A kernel that has every atomic operation."""


@pytest.fixture(scope="module")
def counting() -> Taken:
    """The script that counts hits in an array: 100 runs, by a look-up and a store."""
    script = next(one for one in core_scripts(LANE.arch, "6.1") if one.name == "counting")
    return taken(NAME, script.name, pretend(LANE, script))


def texts(one: Moment) -> list[str]:
    return list(lines(one))


def test_every_executed_instruction_can_be_gone_back_to(counting: Taken) -> None:
    for run in (1, 2, 100):
        for step, recorded in enumerate(counting.runs[run - 1]):
            there = moment(counting, run, step)
            assert (there.registers, there.stack, there.instruction) == (
                recorded.registers,
                recorded.stack,
                recorded.index,
            )
            assert (there.run, there.step, there.steps) == (run, step, len(counting.runs[run - 1]))


def test_the_last_step_is_counted_from_the_end(counting: Taken) -> None:
    assert moment(counting, 3, -1).step == len(counting.runs[2]) - 1


def test_what_the_instruction_before_changed_is_marked(counting: Taken) -> None:
    run = counting.runs[0]
    for step in range(1, len(run)):
        there = moment(counting, 1, step)
        changed = {n for n in range(11) if run[step].registers[n] != run[step - 1].registers[n]}
        assert there.changed == changed
        assert sum(line.startswith("*R") for line in texts(there)) == len(changed)
    assert not moment(counting, 1, 0).changed


def test_a_map_is_what_the_run_saw_and_left_of_it() -> None:
    """The program reads a value, writes another one behind it, and adds to the first, without its old value and with
    it."""
    body = asm.program(
        asm.mov64_imm(R6, 0),
        asm.stx(W, R10, -4, R6),
        asm.mov64_reg(R2, R10),
        asm.add64_imm(R2, -4),
        asm.ld_map(R1, "values"),
        asm.call(Helper.MAP_LOOKUP_ELEM),
        asm.jeq_imm(R0, 0, 7),
        asm.ldx(DW, R7, R0, 0),
        asm.mov64_imm(R8, 5),
        asm.stx(W, R0, 8, R8),
        asm.atomic(DW, Atomic.ADD, R0, 0, R8),
        asm.atomic(DW, Atomic.ADD | Atomic.FETCH, R0, 0, R8),
        asm.st(W, R0, 12, 7),
        asm.mov64_imm(R0, 0),
        asm.exit_(),
    )
    steps = (
        CreateMap("values", MapType.ARRAY, 4, 24, 1),
        UpdateElement(Ref("values"), bytes(4), (2**40 + 1).to_bytes(8, "little") + bytes(16)),
        LoadProgram("it", ProgramType.SOCKET_FILTER, body),
        RunSocketFilter(Ref("it"), bytes(64)),
    )
    one = taken(NAME, "own", pretend(LANE, Script("own", "", steps)))
    found = [moment(one, 1, step).maps for step in range(len(one.runs[0]))]
    values = list(dict.fromkeys(maps[0].value for maps in found if maps))
    unknown, low = (None,) * 8, tuple((2**40 + 1).to_bytes(8, "little"))
    assert values[0] == (None,) * 24, "it is known to be there, and was not read"
    assert values[1] == (*low, *unknown, *unknown)
    assert values[2] == (*low, 5, 0, 0, 0, None, None, None, None, *unknown)
    assert [int.from_bytes(bytes(value[:8]), "little") - 2**40 for value in map(list, values[1:])] == [1, 1, 6, 11, 11]  # type: ignore[arg-type]
    assert values[-1] == (*(2**40 + 11).to_bytes(8, "little"), 5, 0, 0, 0, 7, 0, 0, 0, *unknown)
    last = texts(moment(one, 1, -1))
    assert " map values[00000000] = 0b000000000100000500000007000000................" in last


def hits(one: Taken, run: int, step: int = -1) -> tuple[int | None, ...]:
    (entry,) = moment(one, run, step).maps
    return entry.value


def test_an_array_that_only_the_runs_write_is_known_from_its_creation_on(counting: Taken) -> None:
    """It adds one to a count, atomically and without its old value: each run shows what the ones before left."""
    assert moment(counting, 5, 0).maps == ()
    first = next(step for step in range(len(counting.runs[4])) if moment(counting, 5, step).maps)
    assert hits(counting, 5, first) == (4, *bytes(7)) and hits(counting, 5) == (5, *bytes(7))
    assert hits(counting, 1) == (1, *bytes(7)) and hits(counting, 100) == (100, *bytes(7))
    assert " map hits[00000000] = 0500000000000000" in texts(moment(counting, 5, -1))


def counted(*more: Operation, changes: tuple[Instruction, ...] = ()) -> Taken:
    """A program that adds one to the first value of `hits`, run twice behind `more` operations."""
    body = asm.program(
        asm.mov64_imm(R6, 0),
        asm.stx(W, R10, -4, R6),
        asm.mov64_reg(R2, R10),
        asm.add64_imm(R2, -4),
        asm.ld_map(R1, "hits"),
        asm.call(Helper.MAP_LOOKUP_ELEM),
        asm.jeq_imm(R0, 0, 2 + len(changes)),
        asm.mov64_imm(R6, 1),
        asm.atomic(DW, Atomic.ADD, R0, 0, R6),
        *changes,
        asm.mov64_imm(R0, 0),
        asm.exit_(),
    )
    steps = (
        CreateMap("hits", MapType.ARRAY, 4, 8, 1),
        *more,
        LoadProgram("it", ProgramType.SOCKET_FILTER, body),
        RunSocketFilter(Ref("it"), bytes(64)),
        RunSocketFilter(Ref("it"), bytes(64)),
    )
    return taken(NAME, "own", pretend(NEW, Script("own", "", steps)))


def test_a_map_that_others_write_is_what_the_run_showed() -> None:
    """What the atomic operation added to is then not in any record."""
    assert hits(counted(), 2) == (2, *bytes(7))
    assert hits(counted(UpdateElement(Ref("hits"), bytes(4), bytes(8))), 2) == (None,) * 8


def test_what_a_helper_may_have_written_is_not_known() -> None:
    """Such as bpf_get_current_comm() into the value; R1 points to it, and the call is put where a constant was."""
    one = counted(changes=(asm.mov64_reg(R1, R0), asm.mov64_imm(R7, 0)))
    assert hits(one, 2) == (2, *bytes(7))
    codes = list(one.programs["it"])
    codes[codes.index(asm.mov64_imm(R7, 0))] = asm.call(Helper.GET_CURRENT_COMM)
    into = replace(one, programs={"it": tuple(codes)})
    assert hits(into, 1) == hits(into, 2) == (None,) * 8


@pytest.mark.parametrize(
    ("kind", "before", "left"),
    [
        (Atomic.CMPXCHG, 1, 9),
        (Atomic.CMPXCHG, 2, 1),
        (Atomic.XCHG, 0, 9),
        (Atomic.STORE_RELEASE, 0, 9),
        (Atomic.OR | Atomic.FETCH, 0, 9),
    ],
)
def test_every_atomic_operation_shows_what_it_leaves(kind: int, before: int, left: int) -> None:
    """Of a map that others write, by operations that tell the old value, or do not depend on it. It is 1 at first."""
    changes = (
        asm.mov64_reg(R7, R0),
        asm.mov64_imm(R8, 9),
        asm.mov64_imm(R0, before),
        asm.atomic(DW, kind, R7, 0, R8),
    )
    one = counted(UpdateElement(Ref("hits"), bytes(4), bytes(8)), changes=changes)
    assert hits(one, 1) == (left, *bytes(7))


def test_a_load_that_acquires_shows_what_it_read() -> None:
    one = counted(UpdateElement(Ref("hits"), bytes(4), bytes(8)), changes=(asm.load_acquire(DW, R7, R0, 0),))
    assert hits(one, 1) == (1, *bytes(7))


def test_pointers_have_names_as_far_as_the_run_showed_them(counting: Taken) -> None:
    names = {name for step in range(len(counting.runs[0])) for name in moment(counting, 1, step).pointers.values()}
    assert {"r10-4"} <= names or {"r10-8"} <= names
    assert any(name.startswith("map ") and name.endswith("+0") for name in names)


def test_the_stack_has_what_the_run_stored(counting: Taken) -> None:
    there = moment(counting, 1, -1)
    assert there.written and all(0 <= place < STACK_SIZE for place in there.written)
    assert moment(counting, 1, 0).written == ()


def stacked(*codes: Instruction, tops: tuple[int | None, ...], **stacks: bytes) -> tuple[int, ...]:
    """The offsets from R10 of the words that are told before the last of `codes`, each with its R10; `stacks` has the
    content before an instruction, by its number behind a letter. R1 and R2 point 8 and 16 bytes below the first R10."""
    top = tops[0] or 0
    steps = tuple(
        TakenStep("it", at, (0, top - 8, top - 16, *[0] * 7, own), stacks.get(f"s{at}", bytes(STACK_SIZE)))
        for at, own in enumerate(tops)
    )
    one = Taken(NAME, "own", {"it": codes}, {"it": frozenset(range(len(codes)))}, (steps,))
    return tuple(place - STACK_SIZE for place in moment(one, 1, -1).written)


TOP = 0xFFFF_C900_0000_1000
LEAVE = (asm.mov64_imm(R0, 0), asm.exit_())


def word_at(*places: int) -> bytes:
    content = bytearray(STACK_SIZE)
    for place in places:
        content[STACK_SIZE + place] = 0x5A
    return bytes(content)


def test_what_the_kernels_functions_pushed_is_not_told() -> None:
    """A JIT's stack is as deep as the program needs, and what helpers push is below: here words at -80 and -72."""
    codes = (asm.st(DW, R10, -8, 1), asm.call(Helper.MAP_LOOKUP_ELEM), *LEAVE)
    dirty = word_at(-80, -72, -8)
    assert stacked(*codes, tops=(TOP,) * 4, s1=word_at(-8), s2=dirty, s3=dirty) == (-8,)
    assert stacked(*codes, tops=(None, TOP, TOP, TOP), s1=word_at(-8), s2=dirty, s3=dirty) == (-8,), "a prologue's"


def test_what_a_helper_wrote_for_the_program_is_told() -> None:
    codes = (asm.call(Helper.PROBE_READ), *LEAVE)
    after = word_at(-80, -72, -16)
    assert stacked(*codes, tops=(TOP,) * 3, s1=after, s2=after) == (-16,)


def test_a_function_writes_to_its_own_frame_and_by_pointers_to_its_callers() -> None:
    """Of a JIT, whose frame begins right below; the second store is to the function's own stack."""
    codes = (asm.stx(DW, R1, 0, R2), asm.st(DW, R10, -8, 1), *LEAVE)
    assert stacked(*codes, tops=(TOP - 32, TOP - 32, TOP, TOP)) == ()
    inner = (TOP, TOP - 32, TOP - 32, TOP)
    assert stacked(asm.mov64_imm(R0, 0), *codes[:2], *LEAVE[:1], tops=inner) == (-8,)


def test_a_load_that_acquires_writes_nothing() -> None:
    codes = (asm.load_acquire(DW, R1, R2, 0), *LEAVE)
    assert stacked(*codes, tops=(TOP,) * 3) == ()


def test_a_place_that_there_is_none_of_is_told(counting: Taken) -> None:
    for run, step in ((0, 0), (101, 0), (1, 1000), (1, -1000)):
        with pytest.raises(UserError, match=r"recorded runs|has the steps"):
            moment(counting, run, step)


def test_a_file_has_all_of_it(counting: Taken, tmp_path: Path) -> None:
    write(tmp_path / "record", counting)
    again = read(tmp_path / "record")
    assert texts(moment(again, 5, -1)) == texts(moment(counting, 5, -1))
    assert list(overview(again))[1].startswith("run 1: ")


def test_a_file_of_before_has_registers_and_stack(counting: Taken, tmp_path: Path) -> None:
    write(tmp_path / "record", counting)
    content = json.loads(gzip.decompress((tmp_path / "record").read_bytes()))
    del content["maps"], content["sizes"], content["arrays"]
    (tmp_path / "old").write_bytes(gzip.compress(json.dumps(content).encode()))
    there = moment(read(tmp_path / "old"), 5, -1)
    assert there.registers == counting.runs[4][-1].registers and there.maps == ()


def hil(*words: object) -> tuple[str, object]:
    done = CliRunner().invoke(commands.debug, [str(word) for word in words], standalone_mode=False)
    return done.output, done.exception


def test_the_command_shows_a_file_without_a_machine(counting: Taken, tmp_path: Path) -> None:
    write(tmp_path / "record", counting)
    output, error = hil("--show", tmp_path / "record")
    assert error is None and output.startswith(f"counting on {NAME}: 100 runs\nrun 1: ")
    output, error = hil("--show", tmp_path / "record", "--at", "5:-1")
    assert error is None and output.splitlines() == [line.rstrip() for line in texts(moment(counting, 5, -1))]
    assert hil("--show", tmp_path / "record", "--at", "2")[0].startswith(f"counting on {NAME}, run 1, before step 2 ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--show", "FILE", "--at", "x"), "'x' is no place in a record"),
        (("--show", "FILE", "--at", "1:9999"), "no step 9999"),
        (("--show", "FILE", "--lane", NAME), "--show does not go with a lane"),
        (("--show", "none"), "cannot be read"),
        (("--at", "1:2", NAME), "without --lockstep or --show does not go with --at"),
        (("--lockstep", "counting", "--lane", NAME, "--at", "one"), "'one' is no place"),
    ],
)
def test_wrong_usage_is_told_before_anything_boots(
    words: tuple[str, ...], said: str, counting: Taken, tmp_path: Path
) -> None:
    write(tmp_path / "record", counting)
    _, error = hil(*(tmp_path / "record" if word == "FILE" else word for word in words))
    assert isinstance(error, UserError) and said in str(error), error
