# SPDX-License-Identifier: MIT
"""Perf events: samples, periods, rings, tasks and CPUs."""

from __future__ import annotations

import pytest

from harness.script.operations import (
    CreateKprobe,
    MapRing,
    OpenEvent,
    ReadCount,
    ReadRing,
    Ref,
    SampleType,
    Trigger,
)
from harness.script.outcome import KERNEL_ADDRESS, Lost, Outcome, Sample
from harness.script.triggers import UNKNOWN_PRCTL
from tests.harness.model.scripts import (
    ATTACH,
    EVENT,
    FIRE,
    MAP,
    PRCTL,
    PROBE,
    counting,
    data,
    last,
    predict,
    read,
    u64,
)


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
