# SPDX-License-Identifier: MIT
"""What fires a program, and how its hits are counted."""

from __future__ import annotations

import pytest

from harness.abi.bpf import Command
from harness.check.triggers import parse
from harness.check.trying import NamedObject, trials
from harness.core_scripts.parts import count_hits
from harness.isa.assemble import R0, exit_, mov64_imm
from harness.objects.reader import read
from harness.run.checked import Answer, Word
from harness.script.operations import (
    Attach,
    Execute,
    Operation,
    RawBpf,
    ReadCount,
    ReadProfile,
    ReadRuns,
    Trigger,
)
from harness.script.outcome import Outcome, Unknown
from hil.errors import UserError
from tests.harness.check.trying import facts, fared, trial
from tests.harness.objects.building import moved
from tests.harness.objects.probes import probe

TRACEPOINT = probe("tp/sched/sched_switch", mov64_imm(R0, 0), exit_())


def test_one_that_is_not_hit_is_attached_all_the_same() -> None:
    assert fared(trial(probe())).word is Word.ATTACHES


def test_a_socket_filter_fires_when_a_packet_comes() -> None:
    assert fared(trial(moved())).word is Word.FIRES


@pytest.mark.parametrize(
    ("profile", "count", "fires", "hits"),
    [
        (Outcome(value=0), Outcome(value=0), Answer.NO, 0),
        (Outcome(value=2), Outcome(value=0), Answer.YES, 2),
        (Outcome(value=Unknown("", least=1)), Outcome(value=0), Answer.YES, None),
        (Outcome(value=Unknown("", least=0)), Outcome(value=0), Answer.UNKNOWN, 0),
        (Outcome(errno="ENOENT"), Outcome(value=0), Answer.UNKNOWN, 0),
        (Outcome(errno="ENOENT"), Outcome(value=4), Answer.YES, 4),
        (Outcome(errno="ENOENT"), Outcome(errno="EIO"), Answer.UNKNOWN, None),
    ],
)
def test_hits_that_a_program_filters_out_are_not_taken_for_none(
    profile: Outcome, count: Outcome, fires: Answer, hits: int | None
) -> None:
    said = {ReadProfile: profile, ReadCount: count}
    found = fared(trial(probe()), lambda one: said.get(type(one), Outcome(value=0)))
    assert (found.fires, found.hits) == (fires, hits)


def test_runs_count_where_there_is_no_event() -> None:
    runs = Outcome(value=2, data=(1).to_bytes(8, "little"))
    one = trial(probe("raw_tp/sched_switch"))
    found = fared(one, lambda operation: runs if isinstance(operation, ReadRuns) else Outcome(value=0))
    assert (found.word, found.hits, found.missed) == (Word.FIRES, 2, 1)


def test_a_program_is_tried_with_the_trigger_of_its_function() -> None:
    one = trial(probe("kprobe/write_null", count_hits(), exit_()))
    assert one.script is not None
    assert "Trigger" in {type(step).__name__ for step in one.script.operations}
    other = trial(probe("kprobe/vfs_open", count_hits(), exit_()))
    assert other.script is not None
    assert "Execute" in {type(step).__name__ for step in other.script.operations}
    assert any(isinstance(step, Attach) for step in other.script.operations)


def test_lseek_is_called_so_that_it_comes_as_far_as_the_device() -> None:
    one = trial(probe("kprobe/null_lseek", count_hits(), exit_()))
    assert one.script is not None
    (trigger,) = (step for step in one.script.operations if isinstance(step, Trigger))
    assert trigger.arguments[1] == 0  # SEEK_SET


def test_a_tracepoint_is_counted_by_runs_which_a_program_does_not_filter_out() -> None:
    said = {ReadRuns: Outcome(value=2, data=bytes(8)), ReadCount: Outcome(value=0)}
    found = fared(trial(TRACEPOINT), lambda one: said.get(type(one), Outcome(value=0)))
    assert (found.word, found.hits, found.missed) == (Word.FIRES, 2, 0)
    said[ReadRuns] = Outcome(value=0, data=bytes(8))
    found = fared(trial(TRACEPOINT), lambda one: said.get(type(one), Outcome(value=0)))
    assert (found.fires, found.whys[0].kind) == (Answer.NO, "not-fired")


@pytest.mark.parametrize("section", ["tp/sched/sched_switch", "perf_event"])
@pytest.mark.parametrize("count", [0, 2])
def test_the_event_counts_where_the_kernel_counts_no_runs(section: str, count: int) -> None:
    said = {RawBpf: Outcome(errno="EINVAL"), ReadRuns: Outcome(value=0, data=bytes(8)), ReadCount: Outcome(value=count)}
    found = fared(trial(probe(section, mov64_imm(R0, 1), exit_())), lambda one: said.get(type(one), Outcome(value=0)))
    assert (found.fires, found.hits, found.missed) == (Answer.YES if count else Answer.UNKNOWN, count, None)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("write_null:0,5", Trigger("write_null", (0, 5))),
        ("run:ping -c 1 127.0.0.1", Execute("127.0.0.1", ("ping", "-c", "1"))),
        ("run:ls", Execute("ls", ())),
    ],
)
def test_what_fires_a_probe_is_read(text: str, made: Trigger | Execute) -> None:
    assert parse(text) == made
    (one,) = trials([NamedObject("probe.o", read(probe()))], facts(), parse(text))
    assert made in [step.operation for step in one.steps] and one.triggered
    fared(one, lambda _: Outcome(value=1))


@pytest.mark.parametrize("text", ["run:", "run:echo 'x", "no_such"])
def test_a_trigger_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse(text)


def test_runs_that_nobody_counts_are_not_taken_for_none() -> None:
    def says(operation: Operation) -> Outcome:
        counts = isinstance(operation, RawBpf) and operation.command == Command.ENABLE_STATS
        return Outcome(errno="EINVAL") if counts else Outcome(value=0)

    found = fared(trial(probe("raw_tp/sched_switch")), says)
    assert (found.fires, found.whys[0].kind) == (Answer.UNKNOWN, "not-counted")
