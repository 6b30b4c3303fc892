# SPDX-License-Identifier: MIT
"""What of an observation is held against other lanes, by kind of operation and leaf."""

from __future__ import annotations

import pytest

from harness.abi.bpf import MapType
from harness.core_scripts.parts import prctl
from harness.crosscheck.words import word
from harness.script.matching import admits
from harness.script.operations import (
    Attach,
    Close,
    CreateMap,
    DeleteElement,
    GetNextKey,
    GetProcessId,
    LookupElement,
    OpenEvent,
    Operation,
    ReadClock,
    ReadCount,
    ReadRing,
    ReadRingBuffer,
    ReadSetting,
    ReadTrace,
    Ref,
    RunSocketFilter,
    RunThreads,
    Script,
    Thread,
    UpdateElement,
)
from harness.script.outcome import NOT_CARRIED_OUT, Line, Lost, Message, Outcome, Sample
from harness.testing import u64

MAP = CreateMap("map", MapType.ARRAY, 4, 16, 1)
LOOKUP = LookupElement(Ref("map"), bytes(4), 16)
ADDRESS = 0xFFFF_8880_0123_4560
RING, BUFFER = ReadRing(Ref("ring")), ReadRingBuffer(Ref("buffer"))
FILTER = RunSocketFilter(Ref("program"), bytes(64))


def alike(operation: Operation, one: Outcome, other: Outcome, map: CreateMap = MAP) -> bool | None:
    """Whether two observations say the same; None when there is nothing to compare."""
    script = Script("s", "", (map,))
    ours, theirs = word(script, operation, one), word(script, operation, other)
    return None if ours is None or theirs is None else admits(ours, theirs, {})


@pytest.mark.parametrize(
    ("operation", "one", "other"),
    [
        (LOOKUP, Outcome(value=0, data=u64(1) + u64(2)), Outcome(value=0, data=u64(1) + u64(3))),
        (LOOKUP, Outcome(value=0, data=u64(1) + u64(ADDRESS)), Outcome(value=0, data=u64(2) + u64(ADDRESS))),
        (LOOKUP, Outcome(value=0, data=u64(1)), Outcome(errno="ENOENT")),
        (UpdateElement(Ref("map"), bytes(4), bytes(16)), Outcome(value=0), Outcome(errno="E2BIG")),
        (DeleteElement(Ref("map"), bytes(4)), Outcome(errno="EINVAL"), Outcome(errno="ENOENT")),
        (GetNextKey(Ref("map"), None, 4), Outcome(value=0, data=bytes(4)), Outcome(errno="ENOENT")),
        (FILTER, Outcome(value=6), Outcome(value=7)),
        (ReadCount(Ref("event")), Outcome(value=34), Outcome(value=33)),
        (RING, Outcome(value=0, records=(Sample(raw=b"1"),)), Outcome(value=0, records=(Sample(raw=b"2"),))),
        (RING, Outcome(value=0, records=(Sample(cpu=0),)), Outcome(value=0, records=(Sample(cpu=0), Sample(cpu=0)))),
        (RING, Outcome(value=0, records=(Lost(1),)), Outcome(value=0, records=(Lost(2),))),
        (BUFFER, Outcome(value=0, records=(Message(b"1", 0),)), Outcome(value=0, records=(Message(b"1", 0, True),))),
        (Attach(Ref("event"), Ref("program")), Outcome(value=0), Outcome(errno="EEXIST")),
        (OpenEvent("event", 1), Outcome(errno="EINVAL"), Outcome(errno="ENOENT")),
        (prctl(), Outcome(value=0), Outcome(errno="EINVAL")),
    ],
)
def test_what_script_and_kernel_decide_counts(operation: Operation, one: Outcome, other: Outcome) -> None:
    assert alike(operation, one, other) is False
    assert alike(operation, one, one) and alike(operation, other, other)


@pytest.mark.parametrize(
    ("operation", "one", "other"),
    [
        (LOOKUP, Outcome(value=0, data=u64(1) + u64(ADDRESS)), Outcome(value=0, data=u64(1) + u64(ADDRESS + 64))),
        (GetNextKey(Ref("map"), None, 4), Outcome(value=0, data=b"1234"), Outcome(value=0, data=b"4321")),
        (OpenEvent("event", 1), Outcome(value=7), Outcome(value=8)),
        (Close(3), Outcome(value=0, log="one"), Outcome(value=0, log="other")),
        (
            RING,
            Outcome(value=0, records=(Sample(ip=ADDRESS, pid=1, tid=2, time=3, cpu=0, trace_event=9),)),
            Outcome(value=0, records=(Sample(ip=ADDRESS + 1, pid=2, tid=3, time=4, cpu=1, trace_event=8),)),
        ),
        (BUFFER, Outcome(value=0, records=(Message(b"1", 0),)), Outcome(value=0, records=(Message(b"1", 3),))),
    ],
)
def test_what_differs_by_nature_does_not_count(operation: Operation, one: Outcome, other: Outcome) -> None:
    assert alike(operation, one, other)


@pytest.mark.parametrize(
    "operation",
    [
        RunThreads((Thread(0, (Close(1),)),)),
        ReadClock("now"),
        ReadTrace(),
        ReadSetting("net/core/bpf_jit_enable"),
        GetProcessId("self"),
    ],
)
def test_of_some_operations_nothing_counts(operation: Operation) -> None:
    outcomes = Outcome(value=0), Outcome(value=1, records=(Line(1, 0),))
    assert alike(operation, *outcomes) is None


def test_ids_in_maps_do_not_count_but_whether_there_is_one_does() -> None:
    programs = CreateMap("map", MapType.PROG_ARRAY, 4, 4, 1)
    assert alike(LOOKUP, Outcome(value=0, data=b"\1\0\0\0"), Outcome(value=0, data=b"\2\0\0\0"), programs)
    assert alike(LOOKUP, Outcome(value=0, data=b"\1\0\0\0"), Outcome(errno="ENOENT"), programs) is False


def test_what_was_not_carried_out_says_nothing() -> None:
    assert alike(LOOKUP, Outcome(errno=NOT_CARRIED_OUT), Outcome(errno="ENOENT")) is None
