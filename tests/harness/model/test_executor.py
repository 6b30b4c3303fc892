"""Whole scripts: loading, contexts, samples, filters, doubt that spreads, and a fault planted on purpose."""

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
    R10,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Helper
from harness.model.eras import ERAS, era
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import instruction_table
from harness.model.interpreter import Step
from harness.model.state import State
from harness.script.matching import admits
from harness.script.operations import (
    Attach,
    Buffer,
    Close,
    CreateKprobe,
    CreateMap,
    DeleteElement,
    FindTracepoint,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapRing,
    MapType,
    OpenEvent,
    OpenFile,
    Program,
    ProgramType,
    ReadCount,
    ReadRing,
    Ref,
    RunSocketFilter,
    SampleType,
    Script,
    Trigger,
    UpdateElement,
)
from harness.script.outcome import KERNEL_ADDRESS, Bytes, Lost, OneOf, Outcome, Sample, Unpredicted
from harness.script.processes import Exit, Fork, GetProcessId
from harness.script.surroundings import ClearTrace, ReadTrace
from harness.script.triggers import UNKNOWN_PRCTL
from tests.harness.model.running import environment
from tests.harness.model.scripts import (
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
    returning,
    said,
    storing,
    u64,
)

ALL = list(ERAS)
ATTACH = Attach(Ref("event"), Ref("program"))


# Loading -----------------------------------------------------------------------------------------------------------


def many(count: int) -> LoadProgram:
    code = (*[Instruction(0xB7)] * (count - 1), Instruction(0x95))
    return LoadProgram("program", ProgramType.SOCKET_FILTER, Program(code if count else ()))


def test_load_06_07_08_how_many_instructions() -> None:
    assert [last(many(count)) for count in (0, 4095, 4096)] == ["E2BIG", "ok", "EINVAL"]
    assert [last(many(count), name="5.10") for count in (0, 4096)] == ["E2BIG", "ok"]


def test_load_08_no_instruction_of_no_type() -> None:
    empty = LoadProgram("program", 99, Program(()))
    assert last(empty) == "EINVAL"
    assert last(empty, name="5.10") == "E2BIG"


def test_load_09_10_the_kernel_version_counts_for_kprobe_programs_of_4_1() -> None:
    code = Program((Instruction(0xB7), Instruction(0x95)))
    for type, expected in ((ProgramType.KPROBE, "EINVAL"), (ProgramType.SOCKET_FILTER, "ok")):
        assert last(LoadProgram("program", type, code, kern_version=1)) == expected
    assert last(LoadProgram("program", ProgramType.KPROBE, code, kern_version=1), name="5.10") == "ok"
    assert last(LoadProgram("program", ProgramType.KPROBE, code, kern_version=262452)) == "ok"


def test_load_12_13_types() -> None:
    for type in (0, 5, 99):
        assert last(LoadProgram("program", type, Program((Instruction(0xB7), Instruction(0x95))))) == "EINVAL"
    assert last(returning("program", 0), arch="arm64") == "EINVAL"
    assert last(returning("program", 0), arch="arm64", name="6.1") == "ok"


def test_load_03_to_05_only_gpl_programs_call_gpl_helpers() -> None:
    clock = (call(Helper.KTIME_GET_NS), exit_())
    printing = (st(DW, R10, -8, 0), mov64_reg(R1, R10), add64_imm(R1, -8), mov64_imm(R2, 8))
    printing = (*printing, call(Helper.TRACE_PRINTK), exit_())
    for license, expected in (("GPL", "ok"), ("Dual MIT/GPL", "ok"), ("gpl", "EINVAL"), ("", "EINVAL")):
        assert last(load("program", *clock, license=license)) == expected
        assert last(load("program", *clock, license=license), name="5.10") == "ok"
        assert last(load("program", *printing, license=license), name="5.10") == expected
    assert last(load("program", mov64_imm(R0, 0), exit_(), license="MIT")) == "ok"


def test_log_02_03_log_parameters() -> None:
    def logged(level: int, size: int) -> LoadProgram:
        return LoadProgram(
            "p", ProgramType.KPROBE, Program((Instruction(0xB7), Instruction(0x95))), "GPL", None, level, size
        )

    assert [last(logged(1, size)) for size in (127, 128, 0xFFFFFF, 0x1000000)] == ["EINVAL", "ok", "ok", "EINVAL"]
    assert last(logged(8, 128)) == "ok" and last(logged(8, 128), name="5.10") == "EINVAL"
    (prediction,) = predict(logged(1, 4096))
    assert isinstance(prediction, Outcome) and isinstance(prediction.log, str)
    assert prediction.log.startswith("0: (b7) r0 = 0\n1: (95) exit\n")


def test_a_log_shows_what_nobody_can_know_of_maps() -> None:
    loading = program(ld_map(R1, "map"), mov64_imm(R0, 0), exit_())
    logged = LoadProgram("p", ProgramType.KPROBE, loading, log_level=1)
    accepted = predict(MAP, logged)[-1]
    assert isinstance(accepted, Outcome) and accepted.log is not None and not isinstance(accepted.log, str)
    assert accepted.log.admits("0: (18) r1 = 0x7c10a000\n2: (b7) r0 = 0\n3: (95) exit\n")
    assert not accepted.log.admits("0: (18) r1 = 0x7c10a000\n2: (b7) r0 = 1\n3: (95) exit\n")
    refused = predict(OpenFile("map"), logged)[-1]
    assert isinstance(refused, Outcome) and refused.log is not None and not isinstance(refused.log, str)
    assert refused.log.admits("fd 5 is not pointing to valid bpf_map\n")
    assert not refused.log.admits("fd 5 is not pointing\n")


def test_m_59_maps_that_are_none() -> None:
    program = load("program", ld_map(R1, "map"), mov64_imm(R0, 0), exit_())
    assert last(OpenFile("map"), program) == "EINVAL"
    assert last(CreateMap("map", 0, 4, 8, 1), program) == "EBADF"
    for name in ALL:
        assert last(MAP, program, name=name) == "ok"


def test_h_07_later_helpers() -> None:
    program = load("program", call(Helper.GET_SMP_PROCESSOR_ID), exit_())
    assert last(program) == "EINVAL"
    assert last(program, name="5.10") == "ok"


def test_sys_01_without_privileges() -> None:
    facts = {"uid": 1000, "capabilities": frozenset[str]()}
    assert results(MAP, LookupElement(-1, b"", 8), returning("program", 0), **facts) == ["EPERM"] * 3
    assert results(MAP, LookupElement(-1, b"", 8), name="6.1", **facts) == ["EPERM", "EBADF"]


# Maps from the system call's side ----------------------------------------------------------------------------------


def test_map_20_to_26_descriptors() -> None:
    for operation in (
        lambda of: LookupElement(of, bytes(4), 8),
        lambda of: UpdateElement(of, bytes(4), bytes(8)),
        lambda of: DeleteElement(of, bytes(4)),
        lambda of: GetNextKey(of, None, 4),
    ):
        assert last(operation(-1)) == "EBADF"
        assert last(CreateMap("never made", 0, 4, 8, 1), operation(Ref("never made"))) == "EBADF"
        assert last(OpenFile("file"), operation(Ref("file"))) == "EINVAL"
        assert last(MAP, Close(Ref("map")), operation(Ref("map"))) == "EBADF"


def test_next_key_of_several_is_one_of_them() -> None:
    make = CreateMap("map", MapType.HASH, 1, 1, 4)
    filled = (make, UpdateElement(Ref("map"), b"a", b"1"), UpdateElement(Ref("map"), b"b", b"2"))
    prediction = predict(*filled, GetNextKey(Ref("map"), None, 1))[-1]
    assert data(prediction) == OneOf((b"a", b"b"))
    assert isinstance(prediction, Outcome)
    assert admits(prediction, Outcome(value=0, data=b"b"), {})
    assert not admits(prediction, Outcome(value=0, data=b"c"), {})
    assert last(*filled, GetNextKey(Ref("map"), b"a", 1)) == "?"
    assert last(*filled, DeleteElement(Ref("map"), b"b"), GetNextKey(Ref("map"), b"a", 1)) == "ENOENT"


# Contexts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_reg_01_20_arguments_are_where_the_calling_convention_puts_them(name: str, arch: str) -> None:
    if (name, arch) == ("4.1", "arm64"):
        return
    layout = environment(name, arch).registers
    for index, value in enumerate((2, 3, 1 << 63, (1 << 64) - 1), start=1):
        script = (MAP, storing("program", offset=layout.argument(index)), PROBE, EVENT, ATTACH)
        fire = Trigger(PRCTL, (UNKNOWN_PRCTL, 2, 3, 1 << 63, -1))
        assert data(predict(*script, fire, read(), name=name, arch=arch)[-1]) == u64(value)


def test_reg_01_23_above_a_32_bit_argument_anything_may_be() -> None:
    script = (MAP, storing("program", offset=112), PROBE, EVENT, ATTACH, FIRE, read())
    seen = data(predict(*script)[-1])
    assert isinstance(seen, Bytes)
    assert seen.admits((UNKNOWN_PRCTL | 5 << 32).to_bytes(8, "little"), {})
    assert not seen.admits((UNKNOWN_PRCTL + 1).to_bytes(8, "little"), {})
    assert data(predict(MAP, storing("program", offset=112, size=W), *script[2:])[-1]) == u64(UNKNOWN_PRCTL)


def test_reg_02_the_instruction_pointer_is_a_kernel_address() -> None:
    seen = data(predict(MAP, storing("program", offset=128), PROBE, EVENT, ATTACH, FIRE, read())[-1])
    assert isinstance(seen, Bytes) and seen.unknown[0].value == KERNEL_ADDRESS


def test_run_55_return_values() -> None:
    returns = CreateKprobe("probe", PRCTL, returns=True)
    script = (MAP, storing("program", offset=80, size=W), returns, EVENT, ATTACH, FIRE, read())
    assert data(predict(*script)[-1]) == u64(0xFFFFFFDA)
    written = CreateKprobe("probe", "write_null", returns=True)
    script = (MAP, storing("program", offset=80), written, EVENT, ATTACH)
    assert data(predict(*script, Trigger("write_null", (Buffer(b"abc"), 3)), read())[-1]) == u64(3)


def test_pr_02_programs_read_the_callers_buffer() -> None:
    program = load(
        "program",
        *(ldx(DW, R3, R1, 104), st(DW, R10, -8, 0), mov64_reg(R1, R10), add64_imm(R1, -8), mov64_imm(R2, 4)),
        *(call(Helper.PROBE_READ), ldx(DW, R6, R10, -8), *element(0), stx(DW, R0, 0, R6), mov64_imm(R0, 0), exit_()),
    )
    script = (MAP, program, CreateKprobe("probe", "write_null"), EVENT, ATTACH)
    fire = Trigger("write_null", (Buffer(b"abcdefgh"), 8))
    assert data(predict(*script, fire, read())[-1]) == b"abcd\0\0\0\0"


def test_a_pointer_in_a_map_is_predicted_as_a_kernel_address() -> None:
    program = load("program", *element(0), stx(DW, R0, 0, R0), mov64_imm(R0, 0), exit_())
    seen = data(predict(MAP, program, PROBE, EVENT, ATTACH, FIRE, read())[-1])
    assert isinstance(seen, Bytes)
    assert seen.admits(u64(0xFFFF888000001000), {}) and not seen.admits(u64(0x1000), {})


# Triggers ----------------------------------------------------------------------------------------------------------


def test_what_triggers_return() -> None:
    assert last(FIRE) == "EINVAL"
    assert last(Trigger("null_lseek", (-5, 4))) == 0
    assert last(Trigger("null_lseek", (-5, 5))) == "EINVAL"
    assert last(Trigger("write_null", (0x10000, 77))) == 77
    assert last(Trigger("write_null", (0x10000, 0x7FFFF001))) == 0x7FFFF000
    assert last(Trigger("write_null", (1 << 63, 1))) == "EFAULT"
    assert last(Trigger("read_null", (Buffer(b"x"), 1))) == 0
    assert last(Trigger("find_task_by_vpid", (0x3FFFFFFF,))) == "ESRCH"
    assert last(Trigger("find_task_by_vpid", (1,))) == "?"
    assert last(Trigger(PRCTL, (15,))) == "?"


def test_a_call_that_does_not_get_there_hits_nothing() -> None:
    script = (CreateKprobe("probe", "null_lseek"), EVENT, Trigger("null_lseek", (0, 5)), ReadCount(Ref("event")))
    assert last(*script) == 0


# Counts and samples ------------------------------------------------------------------------------------------------


def samples(
    *events: OpenEvent, fires: int = 1, pages: int = 2, name: str = "4.1", returns: bool = False
) -> tuple[object, ...]:
    script = (CreateKprobe("probe", PRCTL, returns), *events, MapRing("ring", Ref("event"), pages))
    fire = Trigger(PRCTL, (UNKNOWN_PRCTL,), fires)
    prediction = predict(*script, fire, ReadRing(Ref("ring")), name=name)[-1]
    assert isinstance(prediction, Outcome) and prediction.records is not None
    assert prediction.value == len(prediction.records)
    return prediction.records


def test_rb_06_to_09_a_sample_carries_what_was_asked_for() -> None:
    (sample,) = samples(EVENT)
    assert isinstance(sample, Sample)
    assert (sample.cpu, sample.ip, sample.time, sample.period, sample.probe_ip) == (0, None, None, None, KERNEL_ADDRESS)
    assert sample.trace_event is not None and sample.trace_event.same_as == "probe"  # type: ignore[union-attr]
    (sample,) = samples(OpenEvent("event", Ref("probe"), sample_type=SampleType.IP | SampleType.PERIOD))
    assert sample == Sample(ip=KERNEL_ADDRESS, period=1)


def test_peo_16_17_periods() -> None:
    def event(period: int, type: SampleType = SampleType.TID) -> OpenEvent:
        return OpenEvent("event", Ref("probe"), sample_period=period, sample_type=type)

    assert len(samples(event(0), fires=5)) == 0
    assert [len(samples(event(3), fires=fires)) for fires in (1, 2, 3, 5, 6, 7)] == [2, 2, 3, 3, 4, 4]
    assert len(samples(event(3, SampleType.PERIOD), fires=5)) == 5
    assert [len(samples(event(3), fires=fires, name="6.1")) for fires in (2, 3, 5, 6)] == [0, 1, 1, 2]
    assert last(PROBE, event(3), name="5.10", version_code=(5 << 16) + (10 << 8) + 240) == "?"
    assert last(PROBE, event(0), FIRE, ReadCount(Ref("event"))) == 1
    assert last(PROBE, event(1 << 63)) == "EINVAL"


@pytest.mark.parametrize(("returns", "size"), [(False, 48), (True, 56)])
def test_rb_11_14_a_full_ring_loses_and_says_how_many(returns: bool, size: int) -> None:
    fitting = (4096 - 1) // size
    assert len(samples(EVENT, fires=fitting + 5, pages=1, returns=returns)) == fitting
    script = (CreateKprobe("probe", PRCTL, returns), EVENT, MapRing("ring", Ref("event"), 1))
    fires = Trigger(PRCTL, (UNKNOWN_PRCTL,), fitting + 5)
    outcomes = predict(*script, fires, ReadRing(Ref("ring")), FIRE, ReadRing(Ref("ring")), ReadCount(Ref("event")))
    assert isinstance(outcomes[-2], Outcome) and outcomes[-2].records is not None
    assert outcomes[-2].records[0] == Lost(5) and isinstance(outcomes[-2].records[1], Sample)
    assert outcomes[-1] == Outcome(value=fitting + 6)


def test_rb_01_how_many_pages() -> None:
    for pages, expected in ((0, 0), (1, 0), (3, "EINVAL"), (8, 0)):
        assert last(PROBE, EVENT, MapRing("ring", Ref("event"), pages)) == expected
    assert last(MapRing("ring", -1)) == "EBADF"
    assert len(samples(EVENT, pages=0, fires=3)) == 0


def test_peo_07_to_09_tasks_and_cpus() -> None:
    def opened(pid: int, cpu: int) -> object:
        return last(PROBE, OpenEvent("event", Ref("probe"), pid=pid, cpu=cpu))

    assert [opened(-1, -1), opened(-1, 0), opened(0, 0), opened(0, 1), opened(0, 5000)] == [
        "EINVAL",
        "ok",
        "ok",
        "EINVAL",
        "EINVAL",
    ]
    assert [opened(0x3FFFFFFF, -1), opened(-5, -1), opened(1, -1), opened(77, -1)] == ["ESRCH", "ESRCH", "ok", "?"]


def test_run_45_another_tasks_event_counts_nothing_but_the_program_runs() -> None:
    event = OpenEvent("event", Ref("probe"), pid=1)
    script = (MAP, counting("program"), PROBE, event, ATTACH, FIRE)
    assert last(*script, ReadCount(Ref("event"))) == 0
    assert data(predict(*script, read())[-1]) == u64(1)


def test_peo_05_ids_of_no_trace_event() -> None:
    assert last(CreateKprobe("never_made", "no_such_function"), OpenEvent("event", Ref("never_made"))) == "EINVAL"
    assert last(OpenEvent("event", 1 << 20)) == "EINVAL"
    assert last(OpenEvent("event", 700)) == "?"


def test_kp_08_12_probes_that_cannot_be_made() -> None:
    for name, expected in (("4.1", "ENOENT"), ("6.1", "ENOENT"), ("6.12", "EINVAL")):
        assert last(CreateKprobe("probe", "no_such_function"), name=name) == expected
    assert last(CreateKprobe("probe", PRCTL, returns=True, offset=4)) == "EINVAL"
    assert last(CreateKprobe("probe", "vfs_read")) == "?"
    assert last(CreateKprobe("probe", "vfs_read"), symbols=frozenset({"vfs_read"})) == "ok"
    assert last(CreateKprobe("probe", "vfs_read"), symbols=frozenset()) == "ENOENT"


# Socket filters ----------------------------------------------------------------------------------------------------


def filtered(verdict: int, packet: bytes, **facts: str) -> object:
    program = load("filter", mov64_imm(R0, verdict), exit_(), type=ProgramType.SOCKET_FILTER)
    return last(program, RunSocketFilter(Ref("filter"), packet), **facts)


def test_load_14_a_filter_cuts_the_packet() -> None:
    for name in ALL:
        for arch in ("x86_64", "arm64"):
            facts = {"name": name, "arch": arch}
            assert [filtered(cut, b"0123456789", **facts) for cut in (0, 3, 10, 99, -1)] == [0, 3, 10, 10, 10]


def test_what_is_no_filter() -> None:
    assert last(RunSocketFilter(-1, b"x")) == "EBADF"
    assert last(MAP, RunSocketFilter(Ref("map"), b"x")) == "EINVAL"
    assert last(returning("program", 1), RunSocketFilter(Ref("program"), b"x")) == "EINVAL"


# Doubt -------------------------------------------------------------------------------------------------------------


def undecided() -> LoadProgram:
    """A program whose branch hangs on a register nobody knows (r15)."""
    return load("program", ldx(DW, R6, R1, 0), jeq_imm(R6, 5, 0), *element(0), mov64_imm(R0, 1), exit_())


def test_an_unpredictable_run_takes_its_maps_and_counts_along_and_nothing_else() -> None:
    other = CreateMap("other", MapType.ARRAY, 4, 8, 1)
    script = (MAP, other, undecided(), PROBE, EVENT, ATTACH)
    predictions = predict(*script, FIRE, read(), read(map="other"), ReadCount(Ref("event")), Close(Ref("event")))
    fired, ours, others, count, closed = predictions[-5:]
    assert isinstance(fired, Unpredicted) and "calling convention" in fired.reason
    assert isinstance(ours, Unpredicted) and isinstance(count, Unpredicted)
    assert data(others) == bytes(8)
    assert isinstance(closed, Outcome)


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
    assert isinstance(fired, Unpredicted) and isinstance(theirs, Unpredicted)
    assert data(ours) == u64(3) and said(count) == 3


def test_what_an_unpredictable_run_may_have_printed_is_in_doubt() -> None:
    silent = (load("program", ldx(DW, R6, R1, 0), jeq_imm(R6, 5, 0), mov64_imm(R0, 1), exit_()), PROBE, EVENT, ATTACH)
    text = (st(W, R10, -4, 0x0A61), mov64_reg(R1, R10), add64_imm(R1, -4), mov64_imm(R2, 4), call(Helper.TRACE_PRINTK))
    prints = load("program", ldx(DW, R6, R1, 0), jeq_imm(R6, 5, 0), *text, mov64_imm(R0, 1), exit_())
    assert results(*silent, ClearTrace(), FIRE, ReadTrace())[-2:] == ["?", 0]
    assert results(prints, *silent[1:], ClearTrace(), FIRE, ReadTrace())[-2:] == ["?", "?"]


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
    maybe = LoadProgram("program", ProgramType.TRACEPOINT, counting("program").program)
    script = (MAP, other, maybe, PROBE, EVENT, read(), ATTACH, FIRE, read(), read(map="other"))
    assert results(*script, name="6.1")[2:] == ["?", "ok", "ok", 0, "?", "?", "?", 0]


def test_probes_that_others_reach_leave_their_maps_open() -> None:
    facts = {"symbols": frozenset({"vfs_read"})}
    probe = CreateKprobe("probe", "vfs_read")
    script = (MAP, counting("program"), probe, EVENT, read(), ATTACH, read(), ReadCount(Ref("event")))
    assert results(*script, **facts)[-4:] == [0, 0, "?", "?"]
    assert last(FindTracepoint("point", "sched/no_such_point")) == "ENOENT"


def test_a_closed_name_whose_number_may_be_reused_ends_all_certainty() -> None:
    script = (MAP, Close(Ref("map")), read(), OpenFile("file"), read(), MAP)
    assert results(*script) == ["ok", 0, "EBADF", "ok", "?", "?"]


# The bench's own test ----------------------------------------------------------------------------------------------


def test_a_planted_fault_changes_predictions() -> None:
    def broken(state: State, instruction: Instruction) -> None:
        state.registers[instruction.dst] = 5

    script = Script("s", "s", (MAP, counting("program", 1), PROBE, EVENT, ATTACH, FIRE, ReadCount(Ref("event"))))
    table = {**instruction_table(era("4.1", "x86_64")), "atomic_add_dw": broken, "mov64_imm": broken}
    right = ModelExecutor(environment()).run(script)
    wrong = ModelExecutor(environment(), instructions=table).run(Script("s", "s", (*script.operations[:6], read())))
    assert right[-1] == Outcome(value=1)
    assert isinstance(wrong[-1], Outcome) and wrong[-1].data == bytes(8)


def test_every_step_can_be_watched() -> None:
    steps: list[Step] = []
    script = Script("s", "s", (returning("program", 7), PROBE, EVENT, ATTACH, FIRE))
    ModelExecutor(environment(), sink=steps.append).run(script)
    assert [(step.pc, step.instruction.code) for step in steps] == [(0, 0xB7), (1, 0x95)]
    assert steps[0].after[0] == 7 and steps[0].before[10] is steps[0].after[10]


@pytest.mark.parametrize("name", ALL)
def test_a_name_given_again_stands_for_nothing_when_the_second_making_fails(name: str) -> None:
    """In a child, where the name is another one."""
    for broken, error in (
        (CreateMap("x", MapType.HASH, 0, 8, 1), "EINVAL"),
        (LoadProgram("x", ProgramType.SOCKET_FILTER, Program(())), "E2BIG"),
    ):
        script = (OpenFile("x"), Fork(), broken, Close(Ref("x")), Exit(), Close(Ref("x")))
        assert results(*script, name=name) == ["ok", 0, error, "EBADF", 0, 0]
