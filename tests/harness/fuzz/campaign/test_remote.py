# SPDX-License-Identifier: MIT
"""What a worker of dask does with its processes when a campaign ends; no cluster takes part."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from harness.fuzz.campaign import remote
from harness.fuzz.campaign.slots import Died, Slot, Work
from harness.fuzz.campaign.work import Task
from hil import directories
from tests.harness.fuzz.campaign import fakes
from tests.harness.fuzz.campaign.fakes import PLACES
from tests.waiting import until

TASK = Task(PLACES[0], "programs", 1, range(8), Path())


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize("end", [remote.abandon, remote.dismiss])
@pytest.mark.parametrize("method", ["give", "take"])
def test_only_the_thread_of_a_task_closes_what_it_uses(
    end: Callable[[str], None], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The campaign ends when a process is about to get its task, and when its answer is about to be taken."""
    campaign = f"{end.__name__}-{method}"
    there, go, original = Event(), Event(), getattr(Slot, method)

    def waiting(self: Slot, *task: Task) -> object:
        if method == "take":
            self.task = None
        there.set()
        assert go.wait(60)
        assert not self.connection.closed, "it was closed by another thread"
        return original(self, *task)

    monkeypatch.setattr(Slot, method, waiting)
    with ThreadPoolExecutor(2) as threads:
        performing = threads.submit(remote.perform, 0, TASK, campaign, fakes.work)
        assert there.wait(60)
        (slot,) = remote._slots.values()
        ending = threads.submit(end, campaign)
        until(lambda: slot._process.poll() is not None)
        go.set()
        met = performing.exception(60)
        assert isinstance(met, Died) or (met is None and method == "take"), "an answer was there before the end"
        ending.result(60)
    assert slot.connection.closed and not remote._slots


@pytest.mark.parametrize(("end", "status"), [(remote.abandon, -signal.SIGKILL), (remote.dismiss, 0)])
def test_a_process_that_has_nothing_to_do_ends_with_its_campaign(end: Callable[[str], None], status: int) -> None:
    campaign = f"{end.__name__}-idle"
    remote.perform(0, TASK, campaign, fakes.work)
    (slot,) = remote._slots.values()
    end(campaign)
    assert slot._process.returncode == status and slot.connection.closed and not remote._slots


def test_a_task_that_comes_after_the_end_of_its_campaign_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = list[object]()
    remote.dismiss("ended")
    monkeypatch.setattr(remote, "Slot", lambda work: begun.append(work) or Slot(work))
    with pytest.raises(Died, match="is over"):
        remote.perform(0, TASK, "ended", fakes.work)
    assert not begun and not remote._slots and not list(directories.state().glob("campaigns/*"))


def test_a_campaign_that_ends_while_a_process_begins_has_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = list[Slot]()

    def ended_meanwhile(work: Work) -> Slot:
        remote._over.add("ended meanwhile")  # by `_put_away`, which saw no process
        begun.append(Slot(work))
        return begun[0]

    monkeypatch.setattr(remote, "Slot", ended_meanwhile)
    with pytest.raises(Died, match="is over"):
        remote.perform(0, TASK, "ended meanwhile", fakes.work)
    assert begun[0]._process.returncode == -signal.SIGKILL and not remote._slots
