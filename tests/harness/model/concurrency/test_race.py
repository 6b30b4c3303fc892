# SPDX-License-Identifier: MIT
"""Programs on two CPUs: what is exact, what has bounds, and what is not predicted at all."""

from dataclasses import replace

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    Piece,
    W,
    add64_imm,
    add64_reg,
    exit_,
    jne_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    stx,
    xadd,
)
from harness.isa.opcodes import Helper
from harness.script.operations import (
    Attach,
    LoadProgram,
    Operation,
    Pin,
    ReadCount,
    Ref,
    RunThreads,
    Thread,
    UpdateElement,
)
from harness.script.outcome import Bytes, Outcome, Prediction, Unpredicted
from tests.harness.model.scripts import EVENT, FIRE, MAP, PROBE, call, counting, element, load, predict, read, u64

ATTACH = Attach(Ref("event"), Ref("program"))
HITS = 5
FIRES = (replace(FIRE, times=HITS),)
STORE = UpdateElement(Ref("map"), bytes(4), u64(100))


def after(program: LoadProgram, *threads: tuple[Operation, ...], cpus: tuple[int, ...] = (0, 1)) -> Prediction:
    """The first element of "map", which was 7, when all threads have ended."""
    threads = RunThreads(tuple(Thread(cpu, thread) for cpu, thread in zip(cpus, threads, strict=True)))
    seven = UpdateElement(Ref("map"), bytes(4), u64(7))
    *_, last = predict(MAP, seven, program, PROBE, EVENT, ATTACH, threads, read(), name="6.1", cpus=2)
    return last


def bounds(prediction: Prediction) -> tuple[int | None, int | None]:
    assert isinstance(prediction, Outcome) and isinstance(prediction.data, Bytes), prediction
    (piece,) = prediction.data.unknown
    return piece.value.least, piece.value.most


def adding(amount: int, size: object = DW, index: int = 0) -> LoadProgram:
    """Without atomicity."""
    add = (ldx(size, R1, R0, 0), add64_imm(R1, amount), stx(size, R0, 0, R1))  # type: ignore[arg-type]
    return load("program", *element(index), *add, mov64_imm(R0, 1), exit_())


def body(*code: Piece) -> LoadProgram:
    return load("program", *element(0), *code, mov64_imm(R0, 1), exit_())


def test_atomic_additions_are_all_there() -> None:
    said = after(counting("program"), FIRES, FIRES)
    assert isinstance(said, Outcome) and said.data == u64(7 + 2 * HITS)


@pytest.mark.parametrize("size", [DW, W])
def test_of_other_additions_two_are_left_at_least(size: object) -> None:
    assert bounds(after(adding(1, size), FIRES, FIRES)) == (7 + 2, 7 + 2 * HITS)
    assert bounds(after(adding(3, size), FIRES, FIRES)) == (7 + 6, 7 + 3 * 2 * HITS)


def test_where_one_cpu_adds_once_its_sum_may_be_the_last_word() -> None:
    assert bounds(after(adding(1), FIRES, (FIRE,))) == (7 + 1, 7 + HITS + 1)


def test_on_one_cpu_none_is_lost() -> None:
    said = after(adding(1), FIRES, FIRES, cpus=(1, 1))
    assert isinstance(said, Outcome) and said.data == u64(7 + 2 * HITS)


def test_what_is_added_later_is_added_to_both_bounds() -> None:
    threads = RunThreads((Thread(0, FIRES), Thread(1, FIRES)))
    script = (MAP, adding(1), PROBE, EVENT, ATTACH, threads, FIRE, FIRE, read())
    assert bounds(predict(*script, name="6.1", cpus=2)[-1]) == (2 + 2, 2 * HITS + 2)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(adding(-1), id="subtraction"),
        pytest.param(body(ldx(DW, R1, R0, 0), add64_reg(R1, R1), stx(DW, R0, 0, R1)), id="doubling"),
        pytest.param(
            body(ldx(DW, R1, R0, 0), jne_imm(R1, 7, 2), add64_imm(R1, 1), stx(DW, R0, 0, R1)), id="a decision"
        ),
        pytest.param(body(ldx(DW, R1, R0, 0), mov64_imm(R2, 1), xadd(DW, R0, 0, R2)), id="a look and an addition"),
        pytest.param(body(ldx(DW, R1, R0, 0), mov64_imm(R1, 5), stx(DW, R0, 0, R1)), id="no sum"),
        pytest.param(body(mov64_imm(R1, 1), xadd(DW, R0, 0, R1), xadd(W, R0, 0, R1)), id="places of two sizes"),
    ],
)
def test_what_hangs_on_the_order_of_instructions_is_not_predicted(program: LoadProgram) -> None:
    assert isinstance(after(program, FIRES, FIRES), Unpredicted)
    alone = after(program, FIRES, ())
    assert isinstance(alone, Outcome) and isinstance(alone.data, bytes), "by itself it is"


def test_what_a_thread_stores_may_be_lost_to_a_program_that_is_not_atomic() -> None:
    assert isinstance(after(adding(1), FIRES, (STORE,)), Unpredicted)
    assert bounds(after(counting("program"), FIRES, (STORE,))) == (100, 100 + HITS)


def counting_and(*more: Piece) -> LoadProgram:
    """Adds 1 without atomicity; R2 is the count before."""
    counts = (ldx(DW, R1, R0, 0), mov64_reg(R2, R1), add64_imm(R1, 1), stx(DW, R0, 0, R1))
    return load("program", *element(0), *counts, *more, exit_())


@pytest.mark.parametrize(
    "more",
    [
        (mov64_imm(R0, 1), jne_imm(R2, 9, 1), mov64_imm(R0, 0)),
        (stx(DW, R0, 8, R2), mov64_imm(R0, 1)),
        (mov64_reg(R0, R2),),
    ],
    ids=["jump", "store", "verdict"],
)
def test_where_a_count_that_may_be_lost_decides_anything_nothing_is_predicted(more: tuple[Piece, ...]) -> None:
    """Where additions are lost, no CPU may ever see a count that one order says it sees."""
    two = replace(MAP, value_size=16)
    threads = RunThreads((Thread(0, FIRES), Thread(1, FIRES)))
    told = predict(two, counting_and(*more), PROBE, EVENT, ATTACH, threads, name="6.1", cpus=2)
    assert isinstance(told[-1], Unpredicted)


def test_what_happens_beside_a_count_leaves_it_its_bounds() -> None:
    beside = counting_and(mov64_imm(R1, 0), mov64_imm(R2, 0), call(Helper.GET_PRANDOM_U32), mov64_imm(R0, 1))
    assert bounds(after(beside, FIRES, FIRES)) == (7 + 2, 7 + 2 * HITS)


def test_cpus_that_use_places_of_their_own_do_not_meet() -> None:
    own = load(
        "program",
        call(Helper.GET_SMP_PROCESSOR_ID),
        stx(W, 10, -4, R0),
        *element(0)[1:],
        ldx(DW, R1, R0, 0),
        add64_imm(R1, 1),
        stx(DW, R0, 0, R1),
        mov64_imm(R0, 1),
        exit_(),
    )
    threads = RunThreads((Thread(0, FIRES), Thread(1, (FIRE,))))
    script = (MAP, own, PROBE, EVENT, ATTACH, threads, Pin(1), FIRE, read(0), read(1))
    first, second = predict(*script, name="6.1", cpus=2)[-2:]
    assert isinstance(first, Outcome) and isinstance(second, Outcome)
    assert (first.data, second.data) == (u64(HITS), u64(2))


def test_more_orders_than_are_followed_and_cpus_that_are_not_there_leave_everything_open() -> None:
    many = RunThreads(tuple(Thread(0, (FIRE, FIRE)) for _ in range(4)))
    for threads in (many, RunThreads((Thread(5, (FIRE,)),))):
        *_, first, told, then = predict(MAP, counting("program"), PROBE, EVENT, ATTACH, read(), threads, read(), cpus=2)
        assert isinstance(first, Outcome)
        assert isinstance(told, Unpredicted) and isinstance(then, Unpredicted)


def test_a_thread_is_its_process_and_itself() -> None:
    """Events of the calling thread do not count what others do; the number of the thread is not the process's."""
    threads = RunThreads((Thread(0, (FIRE,)), Thread(1, (Pin(0), FIRE))))
    told = predict(MAP, counting("program"), PROBE, EVENT, threads, Pin(9), name="6.1", cpus=2)
    assert isinstance(told[-2], Outcome) and told[-2].threads is not None
    assert told[-2].threads[1][0] == Outcome(value=0)
    assert told[-1] == Outcome(errno="EINVAL")


def test_what_threads_inherit_is_open() -> None:
    threads = RunThreads((Thread(0, (FIRE,)),))
    for event, known in ((EVENT, True), (replace(EVENT, inherit=True), False)):
        told = predict(PROBE, event, threads, ReadCount(Ref("event")), name="6.1", cpus=2)[-2:]
        assert [isinstance(one, Outcome) for one in told] == [known, known]
