# SPDX-License-Identifier: MIT
"""What an operation that nobody can predict may have changed: its row of `effects` opens that and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest

from harness.abi.capabilities import Capability
from harness.core_scripts.parts import array, count_hits, prctl, probed, read_u64, u32
from harness.isa.assemble import (
    R0,
    R1,
    R2,
    R3,
    R10,
    Helper,
    W,
    add64_imm,
    call,
    exit_,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.model.executor import _OPERATIONS
from harness.model.interface import doubt, effects
from harness.model.interface.effects import Part
from harness.script import operations as op
from harness.script import processes as child
from harness.script import surroundings as around
from harness.script.operations import Buffer, Operation, Ref
from harness.script.outcome import ANY, Bytes, Outcome, Unknown, Unpredicted
from tests.harness.model.scripts import EVENT, PRCTL, PROBE, data, predict, results, u64

COUNTING = program(count_hits(), exit_())
HITS, READ = array("hits"), read_u64("hits")
NAME = Buffer(b"tracer\0")
FTRACE = around.SetSetting("kernel/ftrace_enabled", 0)
WRITE = op.WriteKprobeEvents("-:{}probe")
OUTPUT = op.OpenOutputEvent("output", cpu=0)
EVENTS = op.CreateMap("events", op.MapType.PERF_EVENT_ARRAY, 4, 4, 2)
UNKNOWN_MAP = op.CreateMap("map", 13, 4, 8, 4)
"""A type the model does not know."""


def operation_types(union: Any = Operation) -> Iterator[type]:
    for one in get_args(union):
        yield from operation_types(one) if get_args(one) else (one,)


def test_hits_without_number_take_no_time_where_nothing_counts_them() -> None:
    """The most that a field holds; hours, if each was carried out."""
    most = (1 << 32) - 1
    unseen = predict(prctl(times=most))
    assert unseen == predict(prctl())
    *_, hit, read, other = predict(HITS, array("other"), *probed(COUNTING), prctl(times=most), READ, read_u64("other"))
    assert isinstance(hit, Unpredicted) and "hits, which the model would carry out one by one" in hit.reason
    assert data(read) is ANY or isinstance(data(read), Bytes)
    assert data(other) == u64(0)


def test_what_a_socket_has_room_for_is_open_when_somebody_set_it() -> None:
    """net.core.wmem_default bounds the packet of a socket filter; what scripts may send relies on how kernels begin."""
    load = op.LoadProgram("filter", op.ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 64), exit_()))
    less = around.SetSetting("net/core/wmem_default", 4608)
    filtered = op.RunSocketFilter(Ref("filter"), bytes(4096))
    assert not isinstance(predict(load, filtered)[-1], Unpredicted)
    assert isinstance(predict(load, less, filtered)[-1], Unpredicted)


def test_every_type_of_operation_has_a_row() -> None:
    assert set(effects._EFFECTS) == set(operation_types())
    assert set(effects._EFFECTS) == {*_OPERATIONS, op.RunThreads}


def test_every_part_of_the_state_can_be_opened() -> None:
    assert set(doubt._OPEN) == set(Part) - {Part.EVERYTHING}


@pytest.mark.parametrize("option", [15, 3, 16, 22])
def test_a_call_of_unknown_outcome_may_have_hit_and_more(option: int) -> None:
    assert results(HITS, *probed(COUNTING), op.Trigger(PRCTL, (option, NAME)), READ)[-2:] == ["?", "?"]


def test_a_call_that_sets_the_name_leaves_other_functions_alone() -> None:
    other = probed(COUNTING, symbol="null_lseek")
    assert results(HITS, *other, op.Trigger(PRCTL, (15, NAME)), READ, op.Trigger("null_lseek", (1, 0)))[-2:] == [0, 0]


def test_who_else_looks_for_a_process_reaches_the_probe_too() -> None:
    probe = probed(COUNTING, symbol="find_task_by_vpid")
    assert results(HITS, *probe, op.Trigger("find_task_by_vpid", (1,)), READ)[-2:] == ["?", "?"]
    assert results(HITS, *probe, op.OpenEvent("other", Ref("probe"), pid=1), READ)[-2:] == ["ok", "?"]
    assert results(HITS, *probe, op.OpenEvent("other", Ref("probe")), READ)[-2:] == ["ok", 0]


def test_a_command_of_kprobe_events_may_remove_the_probe_it_names() -> None:
    other = op.CreateKprobe("other", PRCTL)
    assert results(PROBE, other, WRITE, op.RemoveKprobe(Ref("probe")), op.RemoveKprobe(Ref("other")))[-2:] == ["?", 0]
    assert results(PROBE, WRITE, EVENT)[-1] == "?"
    assert results(PROBE, EVENT, WRITE, prctl(), op.ReadCount(Ref("event")))[-1] == "?"
    assert results(PROBE, op.WriteKprobeEvents("-:hil/"), op.RemoveKprobe(Ref("probe")))[-1] == "?"
    assert results(PROBE, op.WriteKprobeEvents("p no_such"), op.RemoveKprobe(Ref("probe")))[-1] == 0


def test_a_command_of_kprobe_events_may_make_the_probe_it_names() -> None:
    assert results(op.WriteKprobeEvents("p:{}new cap_task_prctl"), op.RemoveKprobe(Ref("new")))[-1] == "?"


def test_a_setting_nobody_knows_may_stop_everything() -> None:
    assert results(HITS, *probed(COUNTING), FTRACE, prctl(), READ)[-3:] == ["?", "?", "?"]


def test_a_setting_that_may_not_have_been_taken_is_in_doubt_alone() -> None:
    unsure = around.SetSetting("kernel/kptr_restrict", 3)
    reads = [around.ReadSetting(f"kernel/{name}") for name in ("kptr_restrict", "perf_event_paranoid")]
    assert results(unsure, *reads)[:2] == ["?", "?"] and results(unsure, *reads)[2] != "?"


def test_what_may_have_been_opened_may_have_a_number_that_was_closed() -> None:
    closed = (HITS, op.Close(Ref("hits")))
    assert results(*closed, op.OpenFile("other", "/dev/zero"), READ)[-2:] == ["?", "?"]
    assert results(*closed, UNKNOWN_MAP, READ, name="5.10")[-2:] == ["?", "?"]
    assert results(*closed, op.Trigger("null_lseek", (1, 0)), READ)[-1] == "?"  # the null device took it
    assert results(*closed, prctl(), READ)[-1] == "EBADF"


def test_threads_and_children_may_take_a_number_that_was_closed() -> None:
    closed = (HITS, op.Close(Ref("hits")))
    apart = op.RunThreads((op.Thread(0, (op.ReadCount(Ref("hits")),)), op.Thread(0, (op.Pin(0),))))
    threads = predict(*closed, apart)[-1]
    assert isinstance(threads, Unpredicted)
    assert results(*closed, child.Fork(), op.ReadCount(Ref("hits")), child.Exit())[-2:] == ["?", "?"]


def test_a_descriptor_may_be_the_number_of_a_trace_event() -> None:
    assert results(HITS, op.OpenEvent("event", Ref("hits")))[-1] == "?"


def test_a_second_probe_of_one_name_may_be_anything() -> None:
    assert results(PROBE, PROBE)[-1] == "?"
    assert results(PROBE, op.RemoveKprobe(Ref("probe")), PROBE)[-1] == "ok"
    assert results(op.WriteKprobeEvents("p:{}probe null_lseek"), PROBE)[-1] == "?"


def test_whether_an_event_has_a_ring_may_be_open() -> None:
    mapped, again = op.MapRing("ring", Ref("event"), 1), op.MapRing("other", Ref("event"), 2)
    pages = op.MapPages(Ref("event"), 0, 3)
    assert results(PROBE, EVENT, mapped, again)[-1] == "EINVAL"
    assert results(PROBE, EVENT, pages, again)[-2:] == ["?", "?"]


def test_what_may_have_been_closed_may_be_another_by_now() -> None:
    script = (UNKNOWN_MAP, op.Close(Ref("map")), HITS, op.UpdateElement(Ref("map"), u32(0), u64(1)), READ)
    assert results(*script, name="5.10")[-3:] == ["ok", "?", "?"]
    assert results(*script[:1], *script[2:], name="5.10")[-1] == 0


def test_a_plain_number_may_be_any_descriptor() -> None:
    assert results(HITS, op.UpdateElement(5, u32(0), u64(1)), READ)[-2:] == ["?", "?"]
    assert results(HITS, op.UpdateElement(-1, u32(0), u64(1)), READ)[-2:] == ["EBADF", 0]
    assert results(HITS, op.UpdateElement(600, u32(0), u64(1)), READ)[-2:] == ["EBADF", 0]


def test_a_number_stored_into_an_array_of_files_may_be_any_of_them() -> None:
    store = op.UpdateElement(Ref("events"), u32(0), u32(5))
    assert results(HITS, EVENTS, OUTPUT, store, READ, name="6.1")[-2:] == ["?", "?"]


def test_and_a_number_that_a_raw_update_stores() -> None:
    parts = ((0, 4, Ref("events")), (8, 8, Buffer(bytes(4))), (16, 8, Buffer(u32(5))))
    store = op.RawBpf(2, tuple(op.Part(*part) for part in parts))
    assert results(EVENTS, OUTPUT, HITS, store, READ, name="6.1")[-2:] == ["?", "?"]


def test_an_ioctl_that_no_event_knows_is_none_of_other_files() -> None:
    """Numbers for any file, and those of events on an event for output, are no ENOTTY."""
    made = (HITS, OUTPUT)
    for request, of, said in (
        (0x2403, "hits", "ENOTTY"),
        (0x5451, "hits", "?"),
        (0x2403, "output", "?"),
        (0x5001, "output", "ENOTTY"),
    ):
        assert results(*made, op.Ioctl(Ref(of), request), name="6.1")[-1] == said


def test_an_ioctl_of_unknown_outcome_opens_its_event() -> None:
    counts = (prctl(), op.ReadCount(Ref("event")))
    assert results(PROBE, EVENT, op.Ioctl(Ref("event"), 0x2403), *counts)[-1] == "?"
    assert results(HITS, PROBE, EVENT, op.Ioctl(Ref("event"), 0x2405, 5), READ)[-2:] == ["?", "?"]
    writes = op.Ioctl(Ref("event"), 0x80082407, 1 << 20)
    assert results(HITS, PROBE, EVENT, writes, READ)[-2:] == ["?", "?"]


def test_a_command_of_bpf_nobody_knows_opens_what_it_is_given() -> None:
    unknown = op.RawBpf(21, (op.Part(0, 4, Ref("hits")),))
    other = array("other")
    update = op.UpdateElement(Ref("hits"), u32(0), u64(1))
    script = (HITS, other, unknown, update, op.UpdateElement(Ref("other"), u32(0), u64(1)))
    assert results(*script, name="6.1")[-3:] == ["?", "?", 0]
    by_id = op.RawBpf(14, (op.Part(0, 4, 2),), name="found")
    assert results(HITS, by_id, READ, name="6.1")[-1] == 0
    assert results(HITS, by_id, op.UpdateElement(Ref("found"), u32(0), u64(1)), READ, name="6.1")[-1] == "?"


def test_an_event_on_an_id_may_be_on_any_probe() -> None:
    remove = op.RemoveKprobe(Ref("probe"))
    assert results(PROBE, op.OpenEvent("event", 700), remove)[-2:] == ["?", "?"]
    raw = op.RawOpenEvent("event", tuple(op.Part(*part) for part in ((0, 4, 2), (4, 4, 112), (8, 8, 700))))
    assert results(PROBE, raw, remove)[-2:] == ["?", "?"]


def test_a_probe_whose_event_may_be_open_may_be_busy() -> None:
    unknown_bits = op.OpenEvent("event", Ref("probe"), sample_type=op.SampleType(1 << 20))
    assert results(PROBE, unknown_bits, op.RemoveKprobe(Ref("probe")))[-2:] == ["?", "?"]
    busy = op.OpenEvent("busy", Ref("probe"))
    assert results(PROBE, busy, unknown_bits, op.RemoveKprobe(Ref("probe")))[-2:] == ["?", "EBUSY"]


def test_the_number_of_a_probe_that_is_gone_may_be_anothers() -> None:
    gone, other = (PROBE, op.RemoveKprobe(Ref("probe"))), op.CreateKprobe("other", PRCTL)
    remove = op.RemoveKprobe(Ref("other"))
    assert results(*gone, other, remove, name="6.1")[-1] == 0
    assert results(*gone, other, EVENT, remove, name="6.1")[-2:] == ["?", "?"]


def test_what_may_be_attached_stays_when_what_surely_was_is_gone() -> None:
    """Of two events the model knows one; when that is closed the other may still run the program."""
    maybe = op.OpenEvent("maybe", Ref("probe"), sample_type=op.SampleType(1 << 20))
    attach = op.Attach(Ref("maybe"), Ref("program"))
    script = (HITS, op.LoadProgram("program", op.ProgramType.KPROBE, COUNTING), PROBE, EVENT, maybe, attach)
    assert results(*script, op.Close(Ref("event")), prctl(), READ, name="6.1")[-1] == "?"


def test_a_child_of_whom_nobody_knows_what_it_may_do() -> None:
    """A caller who is not root, but may do all that matters, becomes somebody."""
    somebody = child.SetCredentials(1000, frozenset({Capability.BPF}))
    inside = op.CreateMap("map", op.MapType.ARRAY, 4, 8, 1)
    script = (child.Fork(), somebody, inside, child.Exit(), array("after"))
    some = frozenset({Capability.BPF})
    assert results(*script, name="6.1", uid=1000, capabilities=some)[1:] == ["?", "?", 0, "ok"]


def test_only_root_gets_at_kprobe_events() -> None:
    """Seen on 4.1.52/arm64, which has no kprobes either."""
    script = (child.Fork(), child.SetCredentials(1000), op.WriteKprobeEvents("# nothing"), child.Exit())
    assert results(*script, arch="arm64")[2] == results(*script, name="6.1")[2] == "EACCES"


def test_nobody_becomes_another_twice() -> None:
    one, two = (child.SetCredentials(uid, frozenset({Capability.SYS_ADMIN})) for uid in (0, 1000))
    assert results(child.Fork(), one, two, child.Exit())[1:] == [0, "EPERM", 0]


def test_the_sockets_of_a_filter_may_have_the_number_that_was_closed() -> None:
    code = op.LoadProgram("filter", op.ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 1), exit_()))
    script = (
        HITS,
        code,
        op.Close(Ref("filter")),
        op.RunSocketFilter(Ref("filter"), bytes(9)),
        op.Close(Ref("filter")),
        READ,
    )
    assert results(*script)[-3:] == ["?", "EBADF", 0]


def test_a_probe_that_a_child_may_have_made_outlives_it() -> None:
    make = op.CreateKprobe("late", "vfs_read")
    assert results(child.Fork(), make, child.Exit(), op.OpenEvent("event", Ref("late")))[-1] == "?"


def test_a_file_nobody_knows_may_stop_tracing() -> None:
    script = (around.ClearTrace(), op.OpenFile("file", "/tracing/trace"), around.ClearTrace(), around.ReadTrace())
    assert results(*script)[-1] == "?"
    assert results(around.ClearTrace(), op.OpenFile("file"), around.ReadTrace())[-1] == 0


def test_a_program_on_what_others_reach_prints_when_nobody_knows() -> None:
    text = (st(W, R10, -4, 0x0A61), mov64_reg(R1, R10), add64_imm(R1, -4), mov64_imm(R2, 4), call(Helper.TRACE_PRINTK))
    prints = probed(program(text, mov64_imm(R0, 1), exit_()), symbol="vfs_read")
    script = (*prints, around.ClearTrace(), around.ReadTrace())
    assert results(*script, symbols=frozenset({"vfs_read"}))[-3:] == [0, 0, "?"]


def test_a_buffer_that_is_too_small_is_written_over() -> None:
    small, large = (op.LookupElement(Ref("hits"), u32(0), size) for size in (4, 16))
    assert results(HITS, small, READ)[-2:] == ["?", "?"]
    assert results(HITS, large, READ)[-2:] == ["?", 0]
    key = op.GetNextKey(Ref("hits"), None, 2)
    assert results(HITS, key, READ)[-2:] == ["?", "?"]


def test_only_the_result_of_a_program_that_ran_is_unknown() -> None:
    """A socket filter counts, then returns a random number."""
    body = (count_hits(), call(Helper.GET_PRANDOM_U32), exit_())
    filter = op.LoadProgram("filter", op.ProgramType.SOCKET_FILTER, program(*body))
    script = (HITS, filter, op.RunSocketFilter(Ref("filter"), bytes(9)), READ)
    *_, arrived, read = predict(*script)
    assert isinstance(arrived, Outcome) and isinstance(arrived.value, Unknown)
    assert (arrived.value.least, arrived.value.most) == (0, 9) and data(read) == u64(1)


def test_a_load_may_have_decided_what_programs_an_array_takes() -> None:
    programs = op.CreateMap("programs", op.MapType.PROG_ARRAY, 4, 4, 2)
    call_on = (mov64_imm(R3, 0), ld_map(R2, "programs"), call(Helper.TAIL_CALL), mov64_imm(R0, 1), exit_())
    first, second = (
        op.LoadProgram(name, type, program(*call_on))
        for name, type in (("first", op.ProgramType.XDP), ("second", op.ProgramType.SOCKET_FILTER))
    )
    assert results(programs, first, second, name="6.1")[1:] == ["?", "?"]
    assert results(programs, second, first, replace(second, name="third"), name="6.1")[-1] == "ok"


def test_what_may_be_locked_counts_for_every_ring() -> None:
    event, mapped = op.OpenEvent("event", Ref("probe")), op.MapRing("ring", Ref("maybe"), 1)
    maybe = op.OpenEvent("maybe", Ref("probe"), sample_type=op.SampleType(1 << 20))
    become = child.SetCredentials(1000, frozenset({Capability.PERFMON}))
    limits = (around.SetSetting("kernel/perf_event_mlock_kb", 0), child.Fork(), child.LimitLockedMemory(64 << 10))
    script = (PROBE, event, maybe, *limits, become, op.MapRing("first", Ref("event"), 1))
    assert results(*script, child.Exit(), name="6.1")[-2:] == [0, 0]
    assert results(*script[:-1], mapped, script[-1], child.Exit(), name="6.1")[-3:] == ["?", "?", 0]


def test_reading_alone_opens_nothing() -> None:
    unsure = around.ReadSetting("kernel/pid_max")
    script = (HITS, unsure, op.LoadProgram("program", op.ProgramType.KPROBE, COUNTING), READ)
    assert results(*script)[-3:] == ["?", "ok", 0]
