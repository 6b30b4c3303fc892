# SPDX-License-Identifier: MIT
"""Campaigns on dask's workers, with made-up guests: a worker that is killed, one that cannot be relied on."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

distributed = pytest.importorskip("distributed", reason="it comes with the extra `dask`")

from harness.compare import Verdict  # noqa: E402
from harness.fuzz.campaign import journal, plan, remote  # noqa: E402
from harness.fuzz.campaign.cluster import RESOURCE, Cluster  # noqa: E402
from harness.fuzz.campaign.remote import Late, Unfit, Wanted  # noqa: E402
from harness.fuzz.campaign.running import run  # noqa: E402
from harness.fuzz.campaign.slots import Died  # noqa: E402
from harness.fuzz.campaign.totals import Totals  # noqa: E402
from harness.fuzz.campaign.work import Task  # noqa: E402
from hil.errors import BenchError, UserError  # noqa: E402
from hil.signals import Ended  # noqa: E402
from tests.harness.fuzz.campaign import fakes  # noqa: E402
from tests.harness.fuzz.campaign.fakes import PLACES, campaign, counts, covered, found, result  # noqa: E402
from tests.waiting import until  # noqa: E402

CASES = 96


def test_workers_that_die_and_workers_that_fail_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three workers one fails at the case that is known, and one is killed in the middle of its task."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HIL_TEST_UNRELIABLE", str(tmp_path / "unreliable"))
    one = campaign(CASES, generator=plan.generator())
    one.write(tmp_path)
    totals, told, killed = Totals(one.lanes), list[str](), list[int]()
    local = distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, resources={RESOURCE: 1}, dashboard_address=None, silence_logs=50
    )

    def kill(_: Totals) -> None:
        failing = int((tmp_path / "unreliable" / "worker").read_text())
        if totals.cases >= 32 and not killed:
            killed.append(next(nanny.pid for nanny in local.workers.values() if nanny.pid not in (None, failing)))
            os.kill(killed[0], signal.SIGKILL)

    with local:
        crew = Cluster(local.scheduler_address, one, fakes.unreliable, told.append)
        run(one, tmp_path, 1, kill, totals=totals, crew=crew)
    assert killed
    assert any("is retired" in line and "a broken worker" in line for line in told), told
    assert sorted(number for entry in journal.read(tmp_path) for number in entry.numbers) == list(range(CASES))
    expected = [result(lane, number) for lane in one.lanes for number in range(CASES)]
    differing = [item for item in expected if item.verdict is not Verdict.AGREE]
    assert found(tmp_path) == sorted((item.lane, item.script, item.verdict, item.reason) for item in differing)
    numbers: dict[str, Counter[str]] = defaultdict(Counter)
    for item in expected:
        numbers[item.lane][str(item.verdict)] += 1
    assert counts(tmp_path) == {lane: dict(counted) for lane, counted in numbers.items()}
    assert covered(tmp_path) == {"6.1/x86_64": {f"refusal: M-{number}" for number in range(50)}}


def test_an_interrupted_campaign_leaves_no_process_on_workers_that_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a worker's two guests has done its range, and has nothing to do; the other one is in the middle of its."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one = campaign(16, generator=plan.generator(), places=PLACES[:1])
    one.write(tmp_path)

    def interrupt(_: Totals) -> None:
        assert sorted(slot.task is None for slot in remote._slots.values()) == [False, True]
        pids.extend(slot.pid for slot in remote._slots.values())
        raise Ended(signal.SIGTERM)

    pids = list[int]()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, resources={RESOURCE: 2}, dashboard_address=None
    ) as local:
        crew = Cluster(local.scheduler_address, one, fakes.endless_behind_the_first)
        with pytest.raises(Ended):
            run(one, tmp_path, 1, interrupt, totals=Totals(one.lanes), crew=crew)
        assert local.workers[0].status.name == "running"
        assert not remote._slots
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert [list(entry.numbers) for entry in journal.read(tmp_path)] == [list(range(8))]


def test_a_worker_that_fails_at_one_place_is_checked_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does what it should at the first place; what it could not do at the second one, another worker does."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HIL_TEST_UNRELIABLE", str(tmp_path / "unreliable"))
    one = campaign(64, generator=plan.generator(), places=PLACES[:2])
    one.write(tmp_path)
    told: list[str] = []
    totals = Totals(one.lanes)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, resources={RESOURCE: 1}, dashboard_address=None, silence_logs=50
    ) as local:
        crew = Cluster(local.scheduler_address, one, fakes.unable_at_the_second_place, told.append)
        run(one, tmp_path, 1, lambda _: None, totals=totals, crew=crew)
    assert totals.cases == one.cases
    (retired,) = (line for line in told if "is retired" in line)
    assert "two/x86_64: the bench failed: ValueError('no emulator')" in retired


def test_a_program_that_one_worker_lacks_ends_no_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HIL_TEST_UNRELIABLE", str(tmp_path / "unreliable"))
    one = campaign(16, generator=plan.generator(), places=PLACES[:1])
    one.write(tmp_path)
    totals, said = Totals(one.lanes), list[str]()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, resources={RESOURCE: 1}, dashboard_address=None, silence_logs=50
    ) as local:
        crew = Cluster(local.scheduler_address, one, fakes.without_emulator_at_first)
        run(one, tmp_path, 1, lambda _: None, totals=totals, crew=crew, say=said.append)
    assert totals.cases == one.cases
    assert [line for line in said if "qemu-system-absent is not installed" in line]


def test_a_cluster_without_workers_ends_a_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.fuzz.campaign.cluster.ALONE", 0.0)
    monkeypatch.setattr("harness.fuzz.campaign.cluster._LOOK", 0.01)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as local,
        pytest.raises(BenchError, match="no worker that can be relied on"),
        Cluster(local.scheduler_address, campaign(8)) as cluster,
    ):
        list(cluster.ready())


def test_a_host_whose_workers_are_all_retired_ends_a_campaign_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other worker can come there, as to a scheduler."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one, told = campaign(8, generator=plan.generator()), list[str]()
    crew = Cluster("local:2", one, fakes.without_emulator, told.append)
    with pytest.raises(BenchError, match="local:2 has no worker left that can be relied on"):
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), crew=crew)
    assert len([line for line in told if "is retired: one/x86_64: qemu-system-absent is not installed" in line]) == 2


def test_no_worker_is_taken_for_gone_while_dask_updates_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client asks every two seconds for the scheduler's identity, without workers. This one has no guest to check."""
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None, silence_logs=50) as local,
        Cluster(local.scheduler_address, campaign(1), tell=lambda _: None) as crew,
    ):
        client = crew._client
        sync = client.sync

        def updated_behind_it(*arguments: Any, **options: Any) -> Any:
            result = sync(*arguments, **options)
            sync(client._update_scheduler_info)
            return result

        monkeypatch.setattr(client, "sync", updated_behind_it)
        assert len(crew._workers()) == 1
        monkeypatch.undo()


def test_what_is_no_scheduler_is_told() -> None:
    for where in ("local:0", "local:x", "nonsense"):
        with pytest.raises(UserError, match="no scheduler of dask"), Cluster(where, campaign(8)):
            pass


def test_a_worker_with_other_code_or_kernels_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unfit, match="makes or judges cases otherwise"):
        remote.check(0, Wanted("another", PLACES), PLACES[0], "c", fakes.work)
    monkeypatch.setattr(remote, "identity", lambda *_: "another")
    place = PLACES[0].__class__(**{**vars(PLACES[0]), "identity": "this"})
    with pytest.raises(Unfit, match="one/x86_64 is another kernel"):
        remote.check(0, Wanted(plan.generator(), (place,)), place, "c", fakes.work)


def test_a_task_that_is_late_ends_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(remote, "allowance", lambda _: 0.01)
    task = Task(PLACES[0], "programs", 1, range(8), Path())
    with pytest.raises(Late, match=r"more than 0 s"):
        remote.perform(0, task, "c", fakes.slow)
    assert not remote._slots


def test_a_task_of_an_abandoned_campaign_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be on its way to the worker when the campaign is interrupted."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    remote.abandon("abandoned")
    with pytest.raises(Died, match="is over"):
        remote.perform(0, Task(PLACES[0], "programs", 1, range(8), Path()), "abandoned", fakes.work)
    assert not remote._slots
