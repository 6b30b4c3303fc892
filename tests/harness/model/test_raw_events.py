# SPDX-License-Identifier: MIT
"""perf_event_open(2) with whatever a caller hands over: fields are read where they are, however they were filled in."""

from __future__ import annotations

import pytest

from harness.abi import perf
from harness.script.operations import CreateKprobe, Part, RawOpenEvent, Ref
from tests.harness.model.scripts import last

PROBE = CreateKprobe("probe", "null_lseek")
TYPE, SIZE, CONFIG = Part(0, 4, perf.TYPE_TRACEPOINT), Part(4, 4, perf.ATTR.size), Part(8, 8, Ref("probe"))


def opened(*parts: Part, **rest: int) -> str:
    return last(PROBE, RawOpenEvent("event", parts, **rest), name="6.1")


def test_parts_may_straddle_fields() -> None:
    assert opened(TYPE, SIZE, CONFIG) == "ok"
    assert opened(Part(0, 8, perf.ATTR.size << 32 | perf.TYPE_TRACEPOINT), CONFIG) == "ok"
    assert opened(Part(0, 8, 8 << 32 | perf.TYPE_TRACEPOINT), CONFIG) == "E2BIG"
    assert opened(TYPE, Part(2, 4, 8 << 16), CONFIG) == "E2BIG"
    assert opened(TYPE, SIZE, CONFIG, Part(36, 8, perf.FREQUENCY << 32), Part(16, 8, 1 << 40)) == "EINVAL"


def test_later_parts_overwrite_earlier_ones() -> None:
    assert opened(TYPE, Part(4, 4, 8), SIZE, CONFIG) == "ok"


@pytest.mark.parametrize(
    "part", [Part(12, 4, Ref("probe")), Part(20, 4, Ref("probe")), Part(96, 8, Ref("probe"))], ids=str
)
def test_nothing_is_said_where_a_number_is_known_to_the_guest_alone(part: Part) -> None:
    assert opened(TYPE, SIZE, CONFIG, part) == "?"


def test_nothing_is_said_of_what_lies_behind_the_attribute() -> None:
    assert opened(TYPE, SIZE, CONFIG, length=64) == "?"
    assert opened(TYPE, Part(4, 4, 64), CONFIG, length=64) == "ok"
