# SPDX-License-Identifier: MIT
"""Campaigns on the workers of a dask cluster (https://distributed.dask.org), which may be on many hosts.

Workers are reached by the interface of `concurrent.futures`. What goes wrong with them is this module's business, not
dask's: a worker has one task at a time, so that none waits for one that dies and is suspected with it; it is given none
before it has shown that it can be relied on; a task whose worker is gone, or that is late, is run again by another one.
"""

from __future__ import annotations

import concurrent.futures
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from distributed import Client, LocalCluster
from distributed.comm.addressing import parse_address, parse_host_port

from harness.fuzz.campaign import remote
from harness.fuzz.campaign.plan import Campaign, Place
from harness.fuzz.campaign.remote import Unfit, Wanted
from harness.fuzz.campaign.slots import Died, Work
from harness.fuzz.campaign.work import Task, carry_out
from hil.errors import BenchError, HilError, UserError

_log = logging.getLogger(__name__)

RESOURCE = "guest"
"""What a worker has as many of as it can run machines at once: `dask worker --resources guest=1`."""
LOCAL = "local:"
CONNECTING = 30.0
"""Seconds that a scheduler has to answer."""
ALONE = 600.0
"""Seconds without a single worker after which the campaign ends."""
GRACE = 60.0
"""Seconds beyond those that a task may take on its worker, after which the worker itself is taken for dead."""
_OLDEST = "2025.3"
"""The last release whose schedulers cannot be asked for all of their workers (`n_workers`)."""
_LOOK = 1.0
_QUIETLY = """
import logging, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
logging.getLogger("distributed").setLevel(logging.CRITICAL)
"""
"""What workers on this host run first: a Ctrl-C at the terminal is for the bench, which ends them, and what there is to
say of them it says itself."""


def _said(error: Exception) -> str:
    """What an error says; its name where it says nothing, as one of a time limit."""
    return str(error) or type(error).__name__


def _on_this_host(number: str) -> LocalCluster:
    if not number.isdecimal() or not int(number):
        raise ValueError(f"{number!r} is no number of workers")
    return LocalCluster(
        n_workers=int(number),
        threads_per_worker=1,
        resources={RESOURCE: 1},
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
        preload=_QUIETLY,
    )


def _check_address(where: str) -> None:
    """Raises ValueError for what cannot be a scheduler's."""
    scheme, place = parse_address(where)
    if scheme != "inproc":
        parse_host_port(place)


class Far:
    """A guest of a worker: what `harness.fuzz.campaign.slots.Slot` is on this host."""

    def __init__(self, client: Client, address: str, guest: int, campaign: str, work: Work) -> None:
        self.address = address
        self.task: Task | None = None
        self.place: Place | None = None
        self.gone = ""
        """Why nothing comes from it any more; empty while something may."""
        self.fit = False
        """Whether it has passed its check."""
        self._guest, self._campaign, self._work = guest, campaign, work
        self._future: Future[Any] | None = None
        self._late = 0.0
        self._executor = client.get_executor(
            pure=False, workers=[address], allow_other_workers=False, resources={RESOURCE: 1}, retries=0
        )

    @property
    def able(self) -> bool:
        """Returns whether it can be given a task now."""
        return self.fit and not self.gone and self._future is None

    @property
    def future(self) -> Future[Any] | None:
        """Returns what it is at."""
        return self._future

    @property
    def through(self) -> bool:
        """Returns whether there is something to take, be it bad news."""
        if self._future and not self._future.done() and time.monotonic() > self._late:
            self.gone = "it is late, and nothing is heard of it"
        return self._future is not None and (bool(self.gone) or self._future.done())

    def check(self, wanted: Wanted, place: Place) -> None:
        """Lets it show that it can be relied on, on a place."""
        seconds = remote.STARTING + remote.A_CASE
        self._begin(remote.check, seconds, wanted, place, self._campaign, self._work)

    def give(self, task: Task) -> None:
        """Gives it a task."""
        self.task, self.place = task, task.place
        self._begin(remote.perform, remote.allowance(task), task, self._campaign, self._work)

    def take(self) -> Any:
        """Returns what came of it. Raises Died when nothing does, Unfit, and HilError when the bench failed in it."""
        future, self._future, self.task = self._future, None, None
        assert future is not None
        if not future.done():
            future.cancel()
            raise Died(self.gone)
        try:
            return future.result()
        except (Unfit, HilError, Died):
            raise
        except Exception as error:  # dask's own, of a worker that died; and whatever hinders the answer
            raise Died(f"{type(error).__name__}: {error}") from error

    def leave(self) -> None:
        """Forgets what it is at."""
        if self._future:
            self._future.cancel()

    def _begin(self, function: Any, seconds: float, *arguments: Any) -> None:
        self._future = self._executor.submit(function, self._guest, *arguments)
        self._late = time.monotonic() + seconds + GRACE


class Cluster:
    """The crew of a campaign on a cluster. `where` is a scheduler's address, the file that describes one, or `local:N`
    for N workers on this host; `tell` receives what there is to say of workers."""

    one_host = False

    def __init__(
        self, where: str, campaign: Campaign, work: Work = carry_out, tell: Callable[[str], None] = _log.warning
    ) -> None:
        self._where, self._work, self._tell = where, work, tell
        self._wanted = Wanted(campaign.generator, campaign.places)
        self._name = f"{campaign.of}-{campaign.seed}-{uuid.uuid4().hex[:8]}"
        self._guests: dict[tuple[str, int], Far] = {}
        self._refused: set[str] = set()
        """Addresses of workers that get nothing any more."""
        self._doubted: dict[str, Place] = {}
        """Where a worker has failed last, by its address."""
        self._most: int | None = None
        """How many workers there can ever be; None where others may come."""
        self._seen = 0.0
        self._open = ExitStack()

    def __enter__(self) -> Cluster:
        """Raises UserError for what is no scheduler, BenchError for one that does not tell of its workers."""
        with ExitStack() as stack:
            self._client = self._connected(stack)
            self._seen = time.monotonic()
            self._look()
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for far in self._guests.values():
            far.leave()
        try:
            # Workers go on when the campaign was interrupted, and their machines would.
            there = sorted({address for address, _ in self._guests} & self._workers().keys())
            if there:
                leave = remote.dismiss if kind is None else remote.abandon
                self._client.run(leave, self._name, workers=there, on_error="ignore", callback_timeout=GRACE)
        except (BenchError, OSError) as failure:
            self._tell(f"workers may still have machines of this campaign, until they end: {_said(failure)}")
        finally:
            self._open.close()

    def all(self) -> list[Far]:
        """Returns the guests of all workers that there are, and those whose end nobody was told of."""
        return list(self._guests.values())

    def ready(self) -> Iterator[Far]:
        """Yields the guests whose tasks are through, or whose workers are gone; waits for a moment for the first one.

        Raises BenchError when there has been no worker for long.
        """
        busy = [far.future for far in self._guests.values() if far.future]
        if busy:
            concurrent.futures.wait(busy, _LOOK, concurrent.futures.FIRST_COMPLETED)
        else:
            time.sleep(_LOOK)  # until a worker comes
        self._look()
        for far in self.all():
            if far.through and far.task:
                yield far
            elif far.through:
                self._take_on(far)

    def replace(self, dead: Far) -> None:
        """Has the worker checked anew, or another one in its place; one that is late gets nothing any more."""
        self._drop(dead)
        if dead.place:
            self._doubted[dead.address] = dead.place
        if dead.gone:
            self._retire(dead.address, dead.gone)

    def _connected(self, stack: ExitStack) -> Client:
        """Returns the client, which `stack` closes, after a cluster on this host where there is one."""
        try:
            if self._where.startswith(LOCAL):
                local = _on_this_host(self._where.removeprefix(LOCAL))
                stack.callback(local.close, timeout=GRACE)
                self._most = len(local.worker_spec)
                there: dict[str, Any] = {"address": local}
            else:
                there = {"scheduler_file" if Path(self._where).is_file() else "address": self._where}
                if "address" in there:
                    _check_address(self._where)  # a client that fails on one waits for a minute when it is put away
            client = Client(**there, timeout=CONNECTING, set_as_default=False)
            stack.callback(client.close, timeout=GRACE)
            return client
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(
                f"no scheduler of dask answers at {self._where}: {error}",
                remedy="give what `dask scheduler` prints, the file of --scheduler-file, or local:N",
            ) from error

    def _look(self) -> None:
        """Finds out which workers there are: new ones are checked, and of those that are gone nothing is expected."""
        there = self._workers()
        for (address, _), far in list(self._guests.items()):
            if address not in there and not far.gone:
                far.gone = "its worker is gone"
                if not far.future:
                    self._drop(far)
        for address in there.keys() - self._refused:
            guests = int(there[address].get("resources", {}).get(RESOURCE, 0))
            if not guests:
                self._refused.add(address)
                self._tell(f"worker {address} gets no task: start it with --resources {RESOURCE}=1")
            for guest in range(guests):
                if (address, guest) in self._guests:
                    continue
                far = self._guests[address, guest] = Far(self._client, address, guest, self._name, self._work)
                far.check(self._wanted, self._doubted.get(address, self._wanted.places[0]))
        if self._guests:
            self._seen = time.monotonic()
        elif len(self._refused) == self._most:
            raise BenchError(
                f"{self._where} has no worker left that can be relied on, and no other one will come",
                remedy="look why each is retired, then go on with --resume",
            )
        elif time.monotonic() - self._seen > ALONE:
            raise BenchError(
                f"{self._where} has had no worker that can be relied on for {ALONE:.0f} s",
                remedy="start workers, then go on with --resume",
            )

    def _take_on(self, far: Far) -> None:
        """Hears how a worker's check went."""
        try:
            far.take()
        except (Unfit, Died, HilError) as error:
            self._drop(far)
            if far.address in self._workers():
                self._retire(far.address, str(error))
        else:
            far.fit = True

    def _retire(self, address: str, why: str) -> None:
        if address in self._refused:  # another guest of it was
            return
        self._refused.add(address)
        self._tell(f"worker {address} is retired: {why}")
        try:
            self._client.retire_workers([address], close_workers=True, callback_timeout=CONNECTING)
        except OSError as error:
            self._tell(f"worker {address} may go on, though it gets nothing any more: {_said(error)}")

    def _workers(self) -> dict[str, Any]:
        """What the scheduler knows of its workers, by address; raises BenchError when it does not answer for long."""
        late = time.monotonic() + CONNECTING
        while True:
            try:
                return dict(self._identity()["workers"])
            except OSError as error:  # one connection may be reset
                if self._client.scheduler is None or time.monotonic() > late:
                    raise BenchError(
                        f"dask's scheduler does not answer any more: {_said(error)}",
                        remedy="start it again, and go on with hil fuzz --resume",
                    ) from error
            time.sleep(_LOOK)

    def _identity(self) -> dict[str, Any]:
        scheduler = self._client.scheduler
        if scheduler is None:
            raise OSError("this client is closed")
        try:
            # Not by Client.scheduler_info: the client overwrites what that returns, every two seconds, by an answer
            # without workers.
            return dict(self._client.sync(scheduler.identity, n_workers=-1, callback_timeout=CONNECTING))
        except TypeError as error:
            raise BenchError(
                f"{self._where} is a scheduler of dask {_OLDEST} or older: {error}", remedy="update dask there"
            ) from error

    def _drop(self, far: Far) -> None:
        self._guests = {key: one for key, one in self._guests.items() if one is not far}
