# SPDX-License-Identifier: MIT
"""What nobody can predict, and how far the doubt spreads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R8,
    R10,
    W,
    add64_imm,
    call,
    exit_,
    ld_map,
    ldx,
    lsh64_reg,
    mov64_imm,
    mov64_reg,
    st,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Helper
from harness.model.executor import ModelExecutor
from harness.script.matching import admits
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    CreateMap,
    FindTracepoint,
    LoadProgram,
    MapType,
    OpenEvent,
    OpenFile,
    ProgramType,
    ReadCount,
    ReadProfile,
    Ref,
    Script,
)
from harness.script.outcome import ANY, Either, Outcome, Unknown, Unpredicted
from harness.script.processes import GetProcessId
from harness.script.surroundings import ClearTrace, ReadTrace
from tests.harness.model.running import environment
from tests.harness.model.scripts import (
    ATTACH,
    EVENT,
    FIRE,
    MAP,
    PRCTL,
    PROBE,
    counting,
    data,
    element,
    last,
    load,
    predict,
    read,
    results,
    said,
    u64,
)

SHIFT = (mov64_imm(R7, 1), lsh64_reg(R7, R6))
"""By what R6 holds, which the era may not even define."""


def undecided() -> LoadProgram:
    """A program that shifts by a register nobody knows (r15)."""
    return load("program", ldx(DW, R6, R1, 0), *SHIFT, *element(0), mov64_imm(R0, 1), exit_())


def test_an_unpredictable_run_takes_its_maps_and_counts_along_and_nothing_else() -> None:
    other = CreateMap("other", MapType.ARRAY, 4, 8, 1)
    script = (MAP, other, undecided(), PROBE, EVENT, ATTACH)
    predictions = predict(*script, FIRE, read(), read(map="other"), ReadCount(Ref("event")), Close(Ref("event")))
    fired, ours, others, count, closed = predictions[-5:]
    assert fired == Outcome(errno="EINVAL"), "what programs do to maps is nothing to the system call"
    assert ours == Outcome(value=0, data=ANY), "an array has all its elements"
    assert isinstance(count, Unpredicted) and "calling convention" in count.reason
    assert data(others) == bytes(8)
    assert isinstance(closed, Outcome)


def test_what_is_known_of_a_run_that_is_not() -> None:
    """Its calls of helpers are known, it ends, and so does the system call; hash maps may have an element or not."""
    table = CreateMap("map", MapType.HASH, 4, 8, 4)
    stopped = predict(table, undecided(), PROBE, EVENT, ATTACH, FIRE, read())
    assert stopped[-2:] == [Outcome(errno="EINVAL"), Either((Outcome(value=0, data=ANY), Outcome(errno="ENOENT")))]
    beyond = predict(MAP, undecided(), PROBE, EVENT, ATTACH, FIRE, read(4))[-1]
    assert beyond == Outcome(errno="ENOENT")


def test_programs_that_a_stopped_run_may_go_on_with_harm_nobody_either() -> None:
    array = CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 1)
    tail = (mov64_reg(R1, R7), ld_map(R2, "programs"), mov64_imm(R3, 0), call(Helper.TAIL_CALL))
    start = (mov64_reg(R7, R1), ldx(DW, R6, R1, 0), mov64_imm(R8, 1), lsh64_reg(R8, R6))
    program = load("program", *start, *tail, mov64_imm(R0, 1), exit_())
    said = predict(array, program, PROBE, EVENT, ATTACH, FIRE, FIRE, name="6.1")
    assert said[-2] == Outcome(errno="EINVAL")


def test_a_run_that_may_call_what_nobody_knows_may_do_anything_to_the_system_call() -> None:
    """bpf_send_signal() may end the process."""
    signal = (mov64_imm(R1, 9), call(109))
    program = load("program", ldx(DW, R6, R1, 0), *SHIFT, *element(0), *signal, mov64_imm(R0, 1), exit_())
    seen = [Outcome(value=3 + at) for at in range(5)]
    script = Script("s", "", (MAP, program, PROBE, EVENT, ATTACH, FIRE))
    assert isinstance(ModelExecutor(environment("6.12")).run(script, None, seen)[-1], Unpredicted)


def test_other_probes_are_reached_all_the_same_and_as_often() -> None:
    """The newer of two probes is reached first; its program hangs on what nobody knows."""
    newer = (replace(undecided(), name="newer"), CreateKprobe("second", PRCTL), OpenEvent("spare", Ref("second")))
    counted = load("older", *element(0, "counted"), mov64_imm(R1, 1), xadd(DW, R0, 0, R1), mov64_imm(R0, 1), exit_())
    script = (
        MAP,
        CreateMap("counted", MapType.ARRAY, 4, 8, 1),
        counted,
        PROBE,
        EVENT,
        Attach(Ref("event"), Ref("older")),
    )
    script += (*newer, Attach(Ref("spare"), Ref("newer")), replace(FIRE, times=3))
    fired, ours, theirs, count = predict(*script, read(map="counted"), read(), ReadCount(Ref("event")))[-4:]
    assert fired == Outcome(errno="EINVAL") and data(theirs) is ANY
    assert data(ours) == u64(3) and said(count) == 3


def test_what_an_unpredictable_run_may_have_printed_is_in_doubt() -> None:
    silent = (load("program", ldx(DW, R6, R1, 0), *SHIFT, mov64_imm(R0, 1), exit_()), PROBE, EVENT, ATTACH)
    text = (st(W, R10, -4, 0x0A61), mov64_reg(R1, R10), add64_imm(R1, -4), mov64_imm(R2, 4), call(Helper.TRACE_PRINTK))
    prints = load("program", ldx(DW, R6, R1, 0), *SHIFT, *text, mov64_imm(R0, 1), exit_())
    assert results(*silent, ClearTrace(), FIRE, ReadTrace())[-2:] == ["EINVAL", 0]
    assert results(prints, *silent[1:], ClearTrace(), FIRE, ReadTrace())[-2:] == ["EINVAL", "?"]


def test_a_process_is_told_by_its_number_and_no_other() -> None:
    asks = (call(Helper.GET_CURRENT_PID_TGID), mov64_reg(R6, R0), *element(0), stx(DW, R0, 0, R6))
    code = load("program", *asks, mov64_imm(R0, 1), exit_())
    told = predict(MAP, code, PROBE, EVENT, ATTACH, GetProcessId("me"), FIRE, read(), name="6.1")[-1]
    assert isinstance(told, Outcome)
    for number, right in ((7, True), (8, False)):
        assert admits(told, Outcome(value=0, data=u64(number << 32 | number)), {"me": 7}) is right


def test_an_unknown_verdict_leaves_only_counts_open() -> None:
    program = load("program", *element(0), st(DW, R0, 0, 7), exit_())  # returns an address, as 4.1 allows
    script = (MAP, program, PROBE, EVENT, ATTACH, FIRE, read(), ReadCount(Ref("event")))
    assert results(*script)[-3:] == ["EINVAL", 0, "?"]
    assert data(predict(*script)[-2]) == u64(7)


def test_an_undefined_shift_is_reported_as_such() -> None:
    code = (mov64_imm(R0, 1), mov64_imm(R2, 64), Instruction(0x6F, 0, 2), exit_())
    script = (load("program", *code), PROBE, EVENT, ATTACH, FIRE)
    prediction = predict(*script)[-1]
    assert isinstance(prediction, Unpredicted) and "undefined" in prediction.reason
    assert last(*script, name="5.10") == "EINVAL"


def test_what_an_unpredicted_operation_made_is_in_doubt() -> None:
    unknown_type = CreateMap("map", 13, 4, 8, 4)
    other = CreateMap("other", MapType.ARRAY, 4, 8, 4)
    assert results(unknown_type, read(), counting("program"), other, name="5.10") == ["?", "?", "?", "ok"]


def test_a_program_that_may_have_been_loaded_leaves_its_maps_open_once_it_may_run() -> None:
    other = CreateMap("other", MapType.ARRAY, 4, 8, 1)
    maybe = LoadProgram("program", ProgramType.XDP, counting("program").program)
    script = (MAP, other, maybe, PROBE, EVENT, read(), ATTACH, FIRE, read(), read(map="other"))
    assert results(*script, name="6.1")[2:] == ["?", "ok", "ok", 0, "?", "?", "?", 0]


def test_probes_that_others_reach_leave_their_maps_open() -> None:
    facts = {"symbols": frozenset({"vfs_read"})}
    probe = CreateKprobe("probe", "vfs_read")
    script = (MAP, counting("program"), probe, EVENT, read(), ATTACH, read(), ReadCount(Ref("event")))
    assert results(*script, **facts)[-4:] == [0, 0, "?", "ok"]
    assert last(FindTracepoint("point", "sched/no_such_point")) == "ENOENT"


@pytest.mark.parametrize(("symbol", "hits"), [("vfs_read", 0), (PRCTL, 3)])
def test_hits_of_functions_that_others_reach_are_at_least_the_scripts_own(symbol: str, hits: int) -> None:
    """Fewer contradict a kernel, and so does an errno; what nobody controls has no upper bound anywhere."""
    probe = CreateKprobe("probe", symbol)
    script = (probe, EVENT, replace(FIRE, times=3), ReadProfile(Ref("probe")), ReadCount(Ref("event")))
    profile, count = predict(*script, symbols=frozenset({symbol}), name="6.12")[-2:]
    assert isinstance(profile, Outcome) and isinstance(profile.value, Unknown)
    assert (profile.value.least, profile.value.most) == (hits, None)
    seen = Outcome(value=1 << 40, data=bytes(8))
    assert admits(profile, seen, {}) and not admits(profile, Outcome(errno="ENOENT"), {})
    assert admits(profile, replace(seen, value=hits), {}) and not (hits and admits(profile, replace(seen, value=2), {}))
    assert isinstance(count, Outcome) and admits(count, Outcome(value=3), {})
    assert admits(count, Outcome(value=1 << 40), {}) is (symbol != PRCTL)


def test_a_closed_name_whose_number_may_be_reused_ends_all_certainty() -> None:
    script = (MAP, Close(Ref("map")), read(), OpenFile("file"), read(), MAP)
    assert results(*script) == ["ok", 0, "EBADF", "ok", "?", "?"]
