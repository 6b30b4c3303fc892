# SPDX-License-Identifier: MIT
"""PERF_EVENT_IOC_SET_BPF and lifetimes, by the clauses of sections 8 to 10 of the facts."""

from __future__ import annotations

import pytest

from harness.isa.assemble import DW, R0, R1, add64_imm, exit_, ld_imm64, ldx, mov64_imm, mul64_imm, stx
from harness.model.eras import ERAS
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    Disable,
    Duplicate,
    Enable,
    FindTracepoint,
    MapRing,
    OpenEvent,
    OpenFile,
    Operation,
    ProgramType,
    ReadCount,
    ReadProfile,
    Ref,
    RemoveKprobe,
    Unmap,
    WriteKprobeEvents,
)
from harness.script.outcome import Unpredicted
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
    u64,
)

LATER = [name for name in ERAS if name != "4.1"]
ALL = list(ERAS)
SECOND = OpenEvent("second", Ref("probe"))
ATTACHED = (MAP, counting("program"), PROBE, EVENT, Attach(Ref("event"), Ref("program")))


def hits(*operations: Operation, name: str = "4.1") -> bytes | object:
    """How often the program ran."""
    return data(predict(*operations, read(), name=name)[-1])


@pytest.mark.parametrize("name", ALL)
def test_attach_07_11_once_is_right_twice_is_eexist(name: str) -> None:
    assert last(*ATTACHED, name=name) == 0
    assert last(*ATTACHED, Attach(Ref("event"), Ref("program")), name=name) == "EEXIST"
    assert last(*ATTACHED, returning("other", 1), Attach(Ref("event"), Ref("other")), name=name) == "EEXIST"


def test_attach_02_12_one_program_a_trace_event_in_4_1() -> None:
    assert last(*ATTACHED, SECOND, returning("other", 1), Attach(Ref("second"), Ref("other"))) == "EEXIST"


@pytest.mark.parametrize("name", LATER)
def test_attach_12_one_program_a_perf_event_later(name: str) -> None:
    script = (*ATTACHED, SECOND, counting("other", index=1))
    both = predict(*script, Attach(Ref("second"), Ref("other")), FIRE, read(0), read(1), name=name)
    assert [data(one) for one in both[-2:]] == [u64(1), u64(1)]
    assert last(*script, Attach(Ref("second"), Ref("program")), name=name) == "EEXIST"


def test_attach_12_the_65th_program_is_too_much() -> None:
    operations: list[Operation] = [PROBE]
    for index in range(65):
        operations += [returning(f"p{index}", 1), OpenEvent(f"e{index}", Ref("probe"))]
        operations += [Attach(Ref(f"e{index}"), Ref(f"p{index}"))]
    outcome = results(*operations, name="6.1")
    assert outcome[-4] == 0 and outcome[-1] == "E2BIG"


@pytest.mark.parametrize("name", ALL)
def test_attach_04_05_06_what_is_no_kprobe_program(name: str) -> None:
    base = (
        MAP,
        PROBE,
        EVENT,
        OpenFile("file"),
        load("filter", mov64_imm(R0, 0), exit_(), type=ProgramType.SOCKET_FILTER),
    )
    assert last(*base, Attach(Ref("event"), -1), name=name) == "EBADF"
    assert last(*base, Attach(Ref("event"), 900), name=name) == "EBADF"
    for wrong in ("map", "event", "file", "filter"):
        assert last(*base, Attach(Ref("event"), Ref(wrong)), name=name) == "EINVAL"


def test_attach_08_a_bad_descriptor_and_an_occupied_event() -> None:
    assert last(*ATTACHED, Attach(Ref("event"), -1)) == "EEXIST"
    assert last(*ATTACHED, Attach(Ref("event"), -1), name="5.10") == "EBADF"


def test_attach_03_09_a_tracepoint_takes_no_kprobe_program() -> None:
    base = (returning("program", 1), FindTracepoint("point", "sched/sched_switch"), OpenEvent("event", Ref("point")))
    for name in ALL:
        assert last(*base, Attach(Ref("event"), Ref("program")), name=name) == "EINVAL"
    assert last(*base, Attach(Ref("event"), -1)) == "EINVAL"
    assert last(*base, Attach(Ref("event"), -1), name="5.10") == "EBADF"


@pytest.mark.parametrize("name", ALL)
def test_attach_20_what_is_no_perf_event_knows_no_such_ioctl(name: str) -> None:
    assert last(MAP, returning("program", 1), Attach(Ref("map"), Ref("program")), name=name) == "ENOTTY"
    assert last(returning("program", 1), Attach(-1, Ref("program")), name=name) == "EBADF"
    assert last(OpenFile("file"), Enable(Ref("file")), name=name) == "ENOTTY"


@pytest.mark.parametrize("name", ALL)
def test_attach_13_14_programs_and_trace_events_combine_freely(name: str) -> None:
    script = (
        *ATTACHED,
        CreateKprobe("probe2", PRCTL, returns=True),
        OpenEvent("event2", Ref("probe2")),
        Attach(Ref("event2"), Ref("program")),
        FIRE,
    )
    assert hits(*script, name=name) == u64(2)


@pytest.mark.parametrize("name", ALL)
def test_attach_16_run_44_a_disabled_event_can_be_attached_and_its_program_runs(name: str) -> None:
    disabled = OpenEvent("event", Ref("probe"), disabled=True)
    script = (MAP, counting("program"), PROBE, disabled, Attach(Ref("event"), Ref("program")), FIRE)
    assert hits(*script, name=name) == u64(1)
    assert last(*script, ReadCount(Ref("event")), name=name) == 0
    assert (
        last(*script, Enable(Ref("event")), FIRE, Disable(Ref("event")), FIRE, ReadCount(Ref("event")), name=name) == 1
    )


@pytest.mark.parametrize(
    ("verdict", "first", "later"),
    [(0, False, False), (1, True, True), (2, True, False), (3, True, True), (-(1 << 31), True, False)],
)
def test_run_40_41_which_verdicts_keep_a_hit(verdict: int, first: bool, later: bool) -> None:
    script = (returning("program", verdict), PROBE, EVENT, Attach(Ref("event"), Ref("program")), FIRE)
    for name in ALL:
        assert last(*script, ReadCount(Ref("event")), name=name) == int(first if name == "4.1" else later)


@pytest.mark.parametrize("name", ALL)
def test_run_42_only_32_bits_of_the_verdict_count(name: str) -> None:
    program = load("program", ld_imm64(R0, 1 << 32), exit_())
    script = (program, PROBE, EVENT, Attach(Ref("event"), Ref("program")), FIRE, ReadCount(Ref("event")))
    assert last(*script, name=name) == 0


@pytest.mark.parametrize("name", ALL)
def test_run_46_one_verdict_for_every_perf_event_of_the_id(name: str) -> None:
    script = (returning("program", 0), PROBE, EVENT, SECOND, Attach(Ref("event"), Ref("program")), FIRE)
    assert last(*script, ReadCount(Ref("second")), name=name) == 0


def test_run_46_all_programs_must_want_the_hit_later() -> None:
    script = (
        *(returning("yes", 1), returning("no", 0), PROBE, EVENT, SECOND),
        *(Attach(Ref("event"), Ref("yes")), FIRE, Attach(Ref("second"), Ref("no")), FIRE, ReadCount(Ref("event"))),
    )
    assert last(*script, name="6.12") == 1


@pytest.mark.parametrize("name", ALL)
def test_run_57_hits_without_a_program_are_kept(name: str) -> None:
    assert last(PROBE, EVENT, FIRE, FIRE, ReadCount(Ref("event")), name=name) == 2


@pytest.mark.parametrize("name", ALL)
def test_det_01_the_last_close_detaches(name: str) -> None:
    assert hits(*ATTACHED, FIRE, Close(Ref("event")), FIRE, name=name) == u64(1)


def test_det_02_closing_another_event_detaches_in_4_1() -> None:
    script = (*ATTACHED, SECOND, FIRE, Close(Ref("second")), FIRE)
    assert hits(*script) == u64(1)
    for name in LATER:
        assert hits(*script, name=name) == u64(2)


def test_det_07_one_can_attach_again_after_that() -> None:
    script = (*ATTACHED, SECOND, Close(Ref("second")), Attach(Ref("event"), Ref("program")), FIRE)
    assert hits(*script) == u64(1)
    assert results(*script)[-2] == 0


@pytest.mark.parametrize("name", ALL)
def test_det_08_an_event_lives_as_long_as_its_last_descriptor(name: str) -> None:
    script = (*ATTACHED, Duplicate("copy", Ref("event")), Close(Ref("event")), FIRE)
    assert hits(*script, name=name) == u64(1)
    assert hits(*script, Close(Ref("copy")), FIRE, name=name) == u64(1)


@pytest.mark.parametrize("name", ALL)
def test_det_09_10_closing_program_and_map_changes_nothing(name: str) -> None:
    script = (
        *ATTACHED,
        Duplicate("copy", Ref("map")),
        Close(Ref("program")),
        Close(Ref("map")),
        FIRE,
        read(map="copy"),
    )
    assert data(predict(*script, name=name)[-1]) == u64(1)


@pytest.mark.parametrize("name", ALL)
def test_det_13_kp_16_a_probe_in_use_cannot_be_removed(name: str) -> None:
    remove = RemoveKprobe(Ref("probe"))
    assert results(*ATTACHED, remove, Close(Ref("event")), remove, remove, name=name)[-4:] == ["EBUSY", 0, 0, "ENOENT"]


@pytest.mark.parametrize("operation", [RemoveKprobe(Ref("probe")), ReadProfile(Ref("probe"))])
def test_a_probe_that_a_command_may_have_made_is_no_less_there_when_another_one_was_refused(
    operation: Operation,
) -> None:
    made = WriteKprobeEvents(f"p:{{}}probe {PRCTL}")
    said = predict(made, CreateKprobe("probe", "no_such_function"), operation)[-1]
    assert isinstance(said, Unpredicted), said
    assert last(CreateKprobe("probe", "no_such_function"), operation) == "ENOENT"


@pytest.mark.parametrize("name", ALL)
def test_det_18_rb_15_a_mapping_keeps_the_event(name: str) -> None:
    script = (*ATTACHED, MapRing("ring", Ref("event")), Close(Ref("event")), FIRE)
    assert hits(*script, name=name) == u64(1)
    assert hits(*script, Unmap(Ref("ring")), FIRE, name=name) == u64(1)


def digit(name: str, number: int) -> Operation:
    """A program that appends a decimal digit to element 0."""
    append = (ldx(DW, R1, R0, 0), mul64_imm(R1, 10), add64_imm(R1, number), stx(DW, R0, 0, R1))
    return load(name, *element(0), *append, mov64_imm(R0, 1), exit_())


@pytest.mark.parametrize(("returns", "order"), [(False, 21), (True, 12)])
def test_several_probes_on_a_function_run_newest_first_and_return_oldest_first(returns: bool, order: int) -> None:
    script = (
        *(MAP, digit("one", 1), digit("two", 2)),
        *(CreateKprobe("p1", PRCTL, returns), CreateKprobe("p2", PRCTL, returns)),
        *(OpenEvent("e1", Ref("p1")), OpenEvent("e2", Ref("p2"))),
        *(Attach(Ref("e1"), Ref("one")), Attach(Ref("e2"), Ref("two")), FIRE),
    )
    assert hits(*script) == u64(order)


def test_kprobes_do_not_exist_on_arm64_4_1() -> None:
    assert last(PROBE, arch="arm64") == "ENOENT"
    assert results(PROBE, EVENT, ReadCount(Ref("event")), arch="arm64") == ["ENOENT", "EINVAL", "EBADF"]
    assert last(PROBE, arch="arm64", name="5.10") == "ok"


def test_the_first_instruction_of_a_function_may_be_for_ftrace_alone() -> None:
    """Debian's 6.12.117 for riscv64 refuses cap_task_prctl, by `p:` and by `r:`; its 7.2.13 takes both."""
    for probe in (PROBE, CreateKprobe("probe", PRCTL, returns=True)):
        assert last(probe, arch="riscv64", name="6.12") == "EINVAL"
        assert last(probe, arch="riscv64", name="7.2") == last(probe, arch="arm64", name="6.12") == "ok"
    (elsewhere,) = predict(
        CreateKprobe("probe", "vfs_read"), name="6.12", arch="riscv64", symbols=frozenset({"vfs_read"})
    )
    assert isinstance(elsewhere, Unpredicted) and elsewhere.reason == "whether ftrace can trace vfs_read"


def test_a_probe_inside_a_function_may_end_a_machine() -> None:
    """4.1.52 for x86_64 panics at the first hit at cap_task_prctl+5 and +8, with either engine."""

    def reason(name: str, arch: str) -> str:
        (prediction,) = predict(CreateKprobe("probe", PRCTL, offset=5), name=name, arch=arch)
        assert isinstance(prediction, Unpredicted)
        return prediction.reason

    assert "survives a hit" in reason("4.1", "x86_64")
    for name, arch in (("5.10", "x86_64"), ("5.10", "arm64"), ("7.2", "x86_64")):
        assert reason(name, arch) == "whether an instruction begins there"
