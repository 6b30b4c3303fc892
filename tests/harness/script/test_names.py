# SPDX-License-Identifier: MIT
"""A name that nobody makes is a mistake, and told when the script is built."""

from __future__ import annotations

from typing import Any

import pytest

from harness.abi.pt_regs import pt_regs
from harness.core_scripts.parts import array, count_hits, element, on_our_prctl, prctl, probed, read_u64
from harness.isa.assemble import exit_, program
from harness.script.clause import Clause, expect
from harness.script.expectation import Expectation
from harness.script.malformed import Malformed
from harness.script.operations import (
    Attach,
    Buffer,
    Close,
    CreateKprobe,
    CreateMap,
    Duplicate,
    Exit,
    FindTracepoint,
    Fork,
    GetProcessId,
    LoadProgram,
    MapRing,
    OpenEvent,
    Operation,
    Part,
    Program,
    ProgramType,
    RawBpf,
    RawOpenEvent,
    ReadClock,
    ReadRing,
    ReadRingBuffer,
    ReadSetting,
    Ref,
    RemoveKprobe,
    RunSocketFilter,
    RunThreads,
    Script,
    SetSetting,
    Thread,
    Trigger,
    Unmap,
    UpdateElement,
    WriteKprobeEvents,
)
from harness.script.outcome import Bytes, OneOf, Outcome, Piece, Sample, Unknown
from hil.errors import UserError

HITS = array("hits")
COUNTING = probed(on_our_prctl(pt_regs("x86_64", "6.1"), count_hits()))
PROBE, EVENT = CreateKprobe("probe", "cap_task_prctl"), OpenEvent("event", Ref("probe"))
FAILS = Expectation("EINVAL")


def complaint(*operations: Operation, expected: tuple[Outcome | None, ...] = ()) -> str:
    """Why they make no script."""
    with pytest.raises(Malformed) as caught:
        Script("s", "", operations, expected)
    return str(caught.value)


def test_a_map_by_another_name() -> None:
    """What the guest and the model both called -1 before, so that the test passed."""
    told = complaint(HITS, *COUNTING, prctl(), read_u64("hitz"))
    assert told.startswith("s: operation 6, LookupElement(map=hitz, ")
    assert told.endswith("refers to 'hitz', which no earlier operation makes; did you mean 'hits'?")


def test_a_map_that_was_forgotten() -> None:
    told = complaint(*COUNTING, prctl(), read_u64("hits"))
    assert told.startswith("s: operation 0, LoadProgram(")
    assert told.endswith("refers to 'hits', which no earlier operation makes; there are no names before it")


@pytest.mark.parametrize(
    "operation",
    [
        EVENT,
        OpenEvent("event", 1, pid=Ref("probe")),
        Attach(3, Ref("probe")),
        Close(Ref("probe")),
        RemoveKprobe(Ref("probe")),
        Unmap(Ref("probe")),
        UpdateElement(3, b"\0", Ref("probe")),
        RawBpf(1, (Part(0, 4, Ref("probe")),)),
        RawOpenEvent("event", (Part(8, 8, Ref("probe")),)),
        LoadProgram("program", ProgramType.KPROBE, program(element("probe"), exit_())),
        RunThreads((Thread(0, (Close(Ref("probe")),)),)),
    ],
)
def test_wherever_a_name_may_stand_somebody_must_have_made_it(operation: Operation) -> None:
    assert "refers to 'probe', which no earlier operation makes" in complaint(CreateMap("other", 2, 4, 8, 1), operation)
    assert "refers to 'probe', which no earlier operation makes" in complaint(operation, PROBE)


def test_what_could_not_be_made_has_its_name_all_the_same() -> None:
    Script("s", "", (CreateMap("map", 2, 0, 0, 0), Close(Ref("map"))))
    Script("s", "", (RawBpf(0, name="map"), Close(Ref("map")), Duplicate("twin", Ref("map")), Close(Ref("twin"))))


def test_what_a_child_names_is_the_childs_except_probes() -> None:
    Script("s", "", (HITS, Fork(), read_u64("hits"), PROBE, Exit(), EVENT))
    assert "refers to 'hits', which no earlier operation makes" in complaint(Fork(), HITS, Exit(), read_u64("hits"))
    Script("s", "", (PROBE, EVENT, Fork(), EVENT, Exit(), Close(Ref("event"))))


def test_a_thread_knows_what_was_there_before_it_and_its_own() -> None:
    own = Thread(0, (HITS, read_u64("hits")))
    Script("s", "", (RunThreads((own, Thread(1, (prctl(),)))), read_u64("hits")))
    told = complaint(RunThreads((own, Thread(1, (read_u64("hits"),)))))
    assert "in a thread, refers to 'hits', which no earlier operation makes; there are no names before it" in told


def test_threads_name_different_things() -> None:
    """What a name stands for would hang on their order."""
    told = complaint(RunThreads((Thread(0, (HITS,)), Thread(1, (HITS, read_u64("hits"))))))
    assert told.endswith("has two threads that make 'hits'; give each a name of its own")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Unmap(Ref("ring")), ReadRing(Ref("ring"))),
        (ReadRing(Ref("ring")), Unmap(Ref("ring"))),
        (MapRing("ring", Ref("event")), ReadRing(Ref("ring"))),
        (Unmap(Ref("ring")), Unmap(Ref("ring"))),
    ],
)
def test_no_thread_takes_a_ring_from_under_another(one: Operation, other: Operation) -> None:
    """The kernel would have the process killed, or not, by their order."""
    before = (HITS, *COUNTING, MapRing("ring", Ref("event")), Unmap(Ref("ring")))
    told = complaint(*before, RunThreads((Thread(0, (one,)), Thread(1, (other,)))))
    assert "reads or unmaps 'ring' in one thread while another maps or unmaps it" in told
    Script("s", "", (*before, RunThreads((Thread(0, (one, other)), Thread(1, (prctl(),))))))


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        (ReadRing(Ref("hits")), "takes what MapRing makes as its ring; 'hits' is of CreateMap"),
        (ReadRingBuffer(Ref("hits")), "takes what MapRingBuffer makes as its buffer; 'hits' is of CreateMap"),
        (Unmap(Ref("hits")), "takes what MapRing or MapRingBuffer makes as its ring; 'hits' is of CreateMap"),
        (
            RemoveKprobe(Ref("hits")),
            "takes what CreateKprobe or WriteKprobeEvents makes as its probe; 'hits' is of CreateMap",
        ),
        (OpenEvent("e", 1, pid=Ref("hits")), "takes what GetProcessId makes as its pid; 'hits' is of CreateMap"),
    ],
)
def test_what_is_no_descriptor_must_be_of_its_kind(operation: Operation, wanted: str) -> None:
    assert wanted in complaint(HITS, operation)


def test_a_probe_that_a_command_makes_can_be_removed_and_nothing_else() -> None:
    made = WriteKprobeEvents("p:{}probe cap_task_prctl")
    Script("s", "", (made, RemoveKprobe(Ref("probe"))))
    Script("s", "", (made, PROBE, EVENT))
    assert complaint(made, EVENT).endswith("refers to 'probe', whose number is not read; make it by CreateKprobe")


def test_a_reading_of_the_clock_is_no_descriptor() -> None:
    assert complaint(ReadClock("before"), Close(Ref("before"))).endswith(
        "refers to 'before', which is a time and no descriptor"
    )


def test_any_descriptor_may_stand_for_another() -> None:
    """These are errors that kernels must tell."""
    Script(
        "s", "", (HITS, Attach(Ref("hits"), Ref("hits")), RunSocketFilter(Ref("hits"), b"x"), MapRing("r", Ref("hits")))
    )


@pytest.mark.parametrize("again", [HITS, OpenEvent("hits", 1), GetProcessId("hits")])
def test_a_name_is_of_one_thing_at_a_time(again: Operation) -> None:
    told = complaint(HITS, again)
    assert told.endswith("makes 'hits' again, while what CreateMap made is there; give it another name")
    Script("s", "", (HITS, Close(Ref("hits")), again))
    Script("s", "", (HITS, again), (FAILS, None))


def test_a_probe_may_be_made_again_since_the_kernel_knows_its_name() -> None:
    Script("s", "", (PROBE, PROBE))
    assert "makes 'probe' again" in complaint(PROBE, CreateMap("probe", 2, 4, 8, 1))


@pytest.mark.parametrize(
    "expectation",
    [
        Expectation(records=(Sample(trace_event=Unknown("its id", same_as="prob")),)),
        Expectation(records=(Sample(time=Unknown("a time", not_before="prob")),)),
        Expectation(records=(Sample(raw=Bytes(bytes(8), (Piece(0, 8, Unknown("a time", not_after="prob")),))),)),
        Expectation(threads=((Expectation(records=(Sample(pid=Unknown("it", same_as="prob")),)),),)),
    ],
)
def test_what_is_held_against_a_name_needs_it(expectation: Outcome) -> None:
    told = complaint(PROBE, prctl(), expected=(None, expectation))
    assert told.endswith("is held against what 'prob' returned, which no operation makes; did you mean 'probe'?")


def test_there_is_an_expectation_for_every_operation_or_for_none() -> None:
    assert complaint(PROBE, prctl(), expected=(None,)) == "s: 1 expectations for 2 operations"


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        (Trigger("cap_task_prctll"), "names 'cap_task_prctll', which is no trigger; did you mean 'cap_task_prctl'?"),
        (Trigger("sys_sync"), "names 'sys_sync', which is no trigger; choose from 'cap_task_prctl', 'null_lseek', "),
        (Trigger("read_null", (Buffer(b""), 1, 2)), "has 3 arguments; 'read_null' lets one choose 2: buf, count"),
        (RunThreads((Thread(0, (Trigger("sync"),)),)), "names 'sync', which is no trigger; "),
        (ReadSetting("/proc/sys/kernel/kptr_restrict"), "names no file below /proc/sys; write it as in 'kernel/perf"),
        (SetSetting("kernel.kptr_restrict", 1), "names no file below /proc/sys; "),
        (SetSetting("../../etc/passwd", 1), "names no file below /proc/sys; "),
        (FindTracepoint("t", "sched:sched_switch"), "names no tracepoint; write it as in 'sched/sched_switch'"),
        (FindTracepoint("t", "/sched/sched_switch"), "names no tracepoint; "),
        (CreateKprobe("a-b", "f"), "names a trace event 'a-b'; kernels take letters, digits and _, here 32 at most"),
        (CreateKprobe("größe", "f"), "names a trace event 'größe'; "),
        (CreateKprobe("a" * 33, "f"), "names a trace event 'aaaaa"),
        (CreateKprobe("", "f"), "names a trace event ''; "),
        (CreateKprobe("p", "no_such f"), "names no place in a function; write other commands as they are"),
        (CreateKprobe("p", "f\nr f"), "names no place in a function"),
        (CreateKprobe("p", "0x1000"), "names no place in a function"),
        (CreateKprobe("p", "f+4"), "names no place in a function"),
        (CreateKprobe("p", "no_such", offset=-4), "names no place in a function"),
        (RunThreads((Thread(0, (CreateKprobe("a b", "f"),)),)), "names a trace event 'a b'; "),
        (Trigger("read_null", (), 0), "fires nothing"),
        (
            LoadProgram("p", ProgramType.KPROBE, Program(program(exit_()).instructions, ((1, Ref("map")),))),
            "refers to a map in instruction 1 of 1",
        ),
        (RawBpf(1, (Part(44, 8, Buffer(b"")),)), "stores 8 bytes at 44 of 48; sizes are (1, 2, 4, 8)"),
        (RawBpf(1, (Part(8, 8, Buffer(b"")),), length=12), "stores 8 bytes at 8 of 12"),
        (RawOpenEvent("e", (Part(8, 3, Buffer(b"")),)), "stores 3 bytes at 8 of 112"),
        (RawOpenEvent("e", (Part(-8, 8, 1),)), "has a part of 8 bytes at -8"),
        (RawBpf(1, (Part(0, 4, 1),), address=0), "has parts of what its address replaces"),
    ],
)
def test_what_cannot_be_on_any_kernel_is_told(operation: Operation, wanted: str) -> None:
    assert wanted in complaint(operation)


@pytest.mark.parametrize("symbol", ["tcp_v4_rcv", "do_one.isra.0", "ext4:ext4_sync_file", ".Lhere", "f$x"])
def test_functions_have_many_names(symbol: str) -> None:
    Script("s", "", (CreateKprobe("p_1", symbol, offset=4),))


def test_it_is_a_users_error_and_a_value_error() -> None:
    with pytest.raises(UserError):
        Clause("A-01", "a clause is no better", (read_u64("hits"),)).script("6.1")
    assert issubclass(Malformed, ValueError)


@pytest.mark.parametrize(
    ("errno", "remedy"),
    [
        ("EBADFF", "did you mean 'EBADF'?"),
        ("ebadf", "did you mean 'EBADF'?"),
        ("EWOULDBLOCK", "write 'EAGAIN'"),
        ("errno 9", "write 'EBADF'"),
        ("", "write a name as in 'EBADF'"),
    ],
)
def test_an_errno_must_be_one_that_outcomes_have(errno: str, remedy: str) -> None:
    told = f"an errno {errno!r} is expected; {remedy}"
    for build in (
        lambda: Expectation(errno),
        lambda: expect(Close(-1), errno),
        lambda: expect(Close(-1), 0, {"5.10": errno}),
    ):
        with pytest.raises(Malformed) as caught:
            build()
        assert str(caught.value).startswith(told)


@pytest.mark.parametrize("errno", ["EBADF", "EAGAIN", "errno 524"])
def test_those_that_there_are_can_be_expected(errno: str) -> None:
    assert expect(Close(-1), errno).expected("4.1") == Expectation(errno)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (OneOf(("EBADF", "EINVAL")), "the data OneOf(choices=('EBADF', 'EINVAL')) is expected; write bytes, or OneOf"),  # type: ignore[arg-type]
        (OneOf(()), "the data OneOf(choices=()) is expected; write bytes"),
        (["EBADF"], "the data ['EBADF'] is expected; write bytes"),
        (1.5, "the data 1.5 is expected; write bytes"),
    ],
)
def test_what_no_outcome_can_be_is_no_expectation(said: Any, wanted: str) -> None:
    with pytest.raises(Malformed) as caught:
        expect(Close(-1), said)
    assert str(caught.value).startswith(wanted)


def test_what_fails_gives_nothing_more() -> None:
    with pytest.raises(Malformed, match="EBADF is expected, and more"):
        Expectation("EBADF", value=0)
    Expectation("EACCES", log="R0 !read_ok")
