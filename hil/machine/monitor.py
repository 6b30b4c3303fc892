# SPDX-License-Identifier: MIT
"""QMP, the control channel of QEMU, as synchronous calls over the `qemu.qmp` package."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from qemu.qmp import EventListener, QMPClient, QMPError

from hil.errors import EXHAUSTED, MachineLost
from hil.machine.feeding import pipe_of

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


_PIPE = "state"
"""The name by which QEMU knows the pipe of a state that is saved or loaded."""
_UNLIMITED = 1 << 40
"""Bytes a second; QEMU's limit is meant for networks."""


class MonitorFailed(MachineLost):
    """QEMU refused a command, did not answer it in time, or is gone."""


class NoAnswer(MonitorFailed):
    """QEMU could not start, or never answered: it has loaded nothing yet."""


class Monitor:
    """One QMP connection. `qemu.qmp` is asynchronous; its loop runs in a thread of its own."""

    def __init__(
        self,
        stream: socket.socket,
        *,
        timeout: float,
        on_load: Callable[[], None] = lambda: None,
    ) -> None:
        """Negotiate over `stream`; raises NoAnswer when QEMU does not answer within `timeout` seconds. `on_load`, which
        must not block, is called when the state of a machine is loaded."""
        self._timeout = timeout
        self._client = QMPClient("hil")
        self._loop = asyncio.new_event_loop()
        self._shutdown = EventListener("SHUTDOWN")
        self._reason: str | None = None
        self._stops = EventListener("STOP")
        self._on_load = on_load
        self.loaded = False
        """Whether the loading that `load` began has ended well."""
        self._watch: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._thread.start()
        try:
            self._wait("qmp_capabilities", self._begin(stream))
        except BaseException as error:
            stream.close()
            self.close()
            if isinstance(error, MonitorFailed):
                raise NoAnswer(str(error)) from error
            raise

    def watch(self, on_state: Callable[[str], None]) -> None:
        """Call `on_state` with QMP's RunState ("running", "paused", "internal-error", ...) now and whenever the guest
        stops, in a thread of its own. Raises MonitorFailed when the connection is closed."""
        self._wait("watch", self._begin_watch(on_state))

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a QMP command and return its result; raises MonitorFailed when it is refused."""
        _log.debug("%s %s", command, arguments or "")
        return self._wait(command, self._client.execute(command, arguments))

    def human(self, command_line: str) -> str:
        """Run a command of the human monitor, for what QMP does not have; returns its output."""
        return str(self.execute("human-monitor-command", **{"command-line": command_line}))

    def forwarded_port(self) -> int:
        """The host's port that is forwarded to the guest's port 22, from `info usernet`; raises MonitorFailed when none
        is."""
        listing = self.human("info usernet")
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", listing)
        if found is None:
            raise MonitorFailed("QEMU forwards no port to the guest", details=listing)
        return int(found[1])

    def shutdown_reason(self) -> str | None:
        """Why the guest ended first, as QMP's ShutdownCause (guest-shutdown, guest-reset, host-qmp-quit, ...); None if
        unknown.

        Call it after QEMU has ended or holds the guest: its last message may not have been read yet, so this waits up
        to 0.5 s for it.
        """
        if self._reason is None:
            try:
                event: Any = self._wait("SHUTDOWN", self._shutdown.get(), 0.5)
            except MonitorFailed:
                return None
            self._reason = str(event["data"]["reason"])
        return self._reason

    def load(self, source: Path) -> None:
        """Begin to load the machine's state from a file; QEMU was started with `-incoming defer` and ends when that
        fails. Raises MonitorFailed when the file cannot be opened, OSError when the host has no descriptors or memory
        left, which says nothing of the file."""
        self.execute("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        try:
            file = source.open("rb", buffering=0)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise
            raise MonitorFailed(f"the state of the machine cannot be read: {error}") from error
        pipe = pipe_of(file)  # newer releases read plain files under another kind of address: migration/file.c
        try:
            self._wait("getfd", self._pass(pipe))
        finally:
            os.close(pipe)
        self.execute("migrate-incoming", uri=f"fd:{_PIPE}")

    def save(self, target: BinaryIO) -> None:
        """Stop the guest, write the machine's state to a file, and let the guest go on; raises MonitorFailed when QEMU
        cannot, OSError when the file cannot be written.

        QEMU writes to a pipe, because it does not report that a program which it writes to could not keep everything.
        """
        self.execute("stop")
        try:
            self.execute("migrate-set-parameters", **{"max-bandwidth": _UNLIMITED})
            source, sink = os.pipe()
            with os.fdopen(source, "rb") as pipe:
                try:
                    self._wait("getfd", self._pass(sink))
                finally:
                    os.close(sink)
                self.execute("migrate", uri=f"fd:{_PIPE}")
                # The end of the pipe is the end of the migration, behind which the guest may go on.
                with _read_to_the_end(pipe):
                    shutil.copyfileobj(pipe, target, 1 << 20)
            if (status := self.execute("query-migrate").get("status")) != "completed":
                raise MonitorFailed(f"QEMU could not save the machine: migration {status}")
        finally:
            self.execute("cont")

    def quit(self, timeout: float) -> None:
        """Ask QEMU to end; raises MonitorFailed when it does not answer within `timeout` seconds."""
        self._wait("quit", self._client.execute("quit"), timeout)

    def close(self) -> None:
        """End the connection and the thread; harmless when repeated or when QEMU is gone."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(MonitorFailed):
            self._wait("disconnect", self._end(), 1)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self, stream: socket.socket) -> None:
        self._client.register_listener(self._shutdown)
        self._client.register_listener(self._stops)
        self._client.register_listener(EventListener("MIGRATION", event_filter=self._migrated))
        self._client.register_listener(EventListener(event_filter=_logged))
        await self._client.connect(stream)

    async def _begin_watch(self, on_state: Callable[[str], None]) -> None:
        self._watch = self._loop.create_task(self._watch_state(on_state))

    async def _pass(self, descriptor: int) -> None:
        self._client.send_fd_scm(descriptor)
        await self._client.execute("getfd", {"fdname": _PIPE})

    def _migrated(self, event: Mapping[str, Any]) -> bool:
        """Note the end of loading; the filter of a listener that keeps no event."""
        if event["data"]["status"] == "completed":
            self.loaded = True
            self._on_load()
        return False

    async def _watch_state(self, on_state: Callable[[str], None]) -> None:
        """Query the state after each event STOP, which has no reason, and once now for one that came earlier."""
        with contextlib.suppress(QMPError, EOFError, OSError):  # QEMU is gone, which its own thread reports
            while True:
                answer: Any = await self._client.execute("query-status")
                await asyncio.to_thread(on_state, str(answer["status"]))
                await self._stops.get()

    async def _end(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._client.disconnect()

    def _wait(self, what: str, action: Coroutine[Any, Any, _T], timeout: float | None = None) -> _T:
        if self._loop.is_closed():
            action.close()
            raise MonitorFailed(f"QMP {what}: the connection is closed")
        timeout = self._timeout if timeout is None else timeout
        # The loop enforces the time limit: what it cancels has ended then, and the connection stays usable.
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(action, timeout), self._loop)
        try:
            return future.result()
        except TimeoutError:
            raise MonitorFailed(f"QMP {what}: QEMU did not answer in {timeout:.0f} s") from None
        except (QMPError, EOFError, OSError) as error:
            raise MonitorFailed(f"QMP {what}: {error}") from error


@contextlib.contextmanager
def _read_to_the_end(pipe: BinaryIO) -> Iterator[None]:
    """Read what is left when the block fails: QEMU can end the migration only when it has written everything."""
    try:
        yield
    except OSError:
        while pipe.read(1 << 20):
            pass
        raise


def _logged(event: Mapping[str, Any]) -> bool:
    """Log an event; the filter of a listener that keeps none."""
    _log.debug("event %s %s", event.get("event"), event.get("data", ""))
    return False
