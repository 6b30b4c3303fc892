# SPDX-License-Identifier: MIT
"""The ring buffer's records, from bytes made by hand as perf_output_sample() writes them."""

import struct

import pytest

from harness.lowering.context import Ring, Sampling
from harness.lowering.reading import _records, between
from harness.script.operations import SampleType
from harness.script.outcome import Lost, Other, Sample
from hil.agent.steps import Address, Result


def ring(sample_type: SampleType) -> Ring:
    return Ring(Result(0), Address(0), 8192, Address(4096), 4096, Sampling(sample_type))


def raw(event: int, ip: int) -> bytes:
    payload = struct.pack("<HBBiQ", event, 1, 0, 77, ip) + bytes(4)
    return struct.pack("<I", len(payload)) + payload


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<IHH", kind, 1, 8 + len(body)) + body


def test_a_sample_holds_the_fields_its_event_asked_for() -> None:
    everything = SampleType.IP | SampleType.TID | SampleType.TIME | SampleType.CPU | SampleType.PERIOD | SampleType.RAW
    body = struct.pack("<QIIQIIQ", 1, 2, 3, 4, 5, 0, 6) + raw(1392, 0xFFFF_FFFF_8100_0000)
    (sample,) = _records(record(9, body), ring(everything))
    assert sample == Sample(
        ip=1, pid=2, tid=3, time=4, cpu=5, period=6, trace_event=1392, common_pid=77, probe_ip=0xFFFF_FFFF_8100_0000
    )


def test_fields_nobody_asked_for_stay_empty() -> None:
    (sample,) = _records(record(9, raw(7, 8)), ring(SampleType.RAW))
    assert sample == Sample(trace_event=7, common_pid=77, probe_ip=8)


def test_fields_in_between_are_passed_over() -> None:
    body = struct.pack("<IIQII", 2, 3, 99, 5, 0)
    (sample,) = _records(record(9, body), ring(SampleType.TID | SampleType.ID | SampleType.CPU))
    assert sample == Sample(pid=2, tid=3, cpu=5)


def test_lost_records() -> None:
    window = record(2, struct.pack("<QQ", 1, 17)) + record(9, struct.pack("<II", 1, 1))
    assert list(_records(window, ring(SampleType.TID))) == [Lost(17), Sample(pid=1, tid=1)]


def test_records_nobody_asked_for_are_not_passed_over() -> None:
    window = record(5, bytes(8)) + record(9, struct.pack("<II", 1, 1))
    assert list(_records(window, ring(SampleType.TID))) == [Other(5), Sample(pid=1, tid=1)]


@pytest.mark.parametrize(
    "broken",
    [
        struct.pack("<IHH", 9, 1, 0),  # of no size: it would be read for ever
        struct.pack("<IHH", 9, 1, 400) + bytes(8),
        struct.pack("<IH", 9, 1),
        record(9, bytes(4)),
        record(2, bytes(8)),
    ],
)
def test_a_record_that_breaks_off_is_told_as_what_it_is(broken: bytes) -> None:
    first, second = _records(record(9, struct.pack("<II", 1, 1)) + broken, ring(SampleType.TID))
    assert first == Sample(pid=1, tid=1)
    assert second == Other(broken[0])


@pytest.mark.parametrize(
    ("tail", "head", "window"),
    [
        (0, 0, b""),
        (8, 8, b""),
        (0, 3, b"012"),
        (2, 8, b"234567"),
        (6, 10, b"6701"),
        (16, 19, b"012"),
        (5, 13, b"56701234"),
    ],
)
def test_the_window_between_tail_and_head_wraps(tail: int, head: int, window: bytes) -> None:
    assert between(b"01234567", tail, head, 8) == window
