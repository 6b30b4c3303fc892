# SPDX-License-Identifier: MIT
"""Boards of a labgrid environment: the address, the console and the power of a target, by labgrid's own drivers.

https://labgrid.readthedocs.io: an environment is a file in YAML with targets by their roles. What is taken of one is
the resource `NetworkService`, and the drivers of the protocols `ConsoleProtocol` and `PowerProtocol`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from hil.board.address import Address
from hil.errors import BenchError, UserError
from hil.machine.console import Console
from hil.machine.liveness import Liveness

_log = logging.getLogger(__name__)

PREFIX = "labgrid:"
_FORM = "write labgrid:FILE, or labgrid:FILE#ROLE for another target than main"
_QUIET = 0.5
"""Seconds for which the console is asked at a time."""
_ENDING = 30.0
"""Seconds after which a driver of a console that does not return is left to itself."""
_OPENED_AGAIN = 1.0
"""Seconds until a console that broke is opened again; one may have the board's power."""


class Lab:
    """A target of an environment. `where` is what the user wrote, `labgrid:FILE#ROLE`; a copy in another process finds
    the target anew by it."""

    def __init__(self, where: str) -> None:
        """Acquires the target's places that nobody has, until `release`. Raises UserError where labgrid is not
        installed, the environment has no such target, the target has no address, or somebody else has its place."""
        self._file, _, role = where.removeprefix(PREFIX).partition("#")
        if not Path(self._file).is_file():
            raise UserError(f"there is no file {self._file}, the environment of --target {where}", remedy=_FORM)
        self._where = where
        try:
            self._labgrid = importlib.import_module("labgrid")
            self._protocol = importlib.import_module("labgrid.protocol")
            resource = importlib.import_module("labgrid.resource")
        except ImportError as error:
            raise UserError(
                f"--target {where} needs labgrid: {error}", remedy="install it: pip install 'hil[labgrid]'"
            ) from None
        self._reading: _Reading | None = None
        self._was_read = False
        self._places: list[str] = []
        try:
            with self._errors_of_labgrid():
                environment = self._labgrid.Environment(self._file)
                self._acquire(environment, role or "main")
                self._target = environment.get_target(role or "main")
                service = self._target.get_resource(resource.NetworkService)
            port = service.port if service.port != 22 else None
            self.address = Address(service.address, service.username or None, port)
            # A board that is off may have no console yet.
            self._console = self._driver("ConsoleProtocol", activate=False)
            self._power = self._driver("PowerProtocol")
        except BaseException:
            self.release()
            raise

    def __reduce__(self) -> tuple[type[Lab], tuple[str]]:
        return Lab, (self._where,)

    @property
    def has_power(self) -> bool:
        """Whether it can switch the board."""
        return self._power is not None

    @property
    def told(self) -> str:
        """What there is beside the address, in a sentence."""
        have = [name for name, driver in (("console", self._console), ("power", self._power)) if driver is not None]
        place = f"; the place {', '.join(self._places)} is acquired until the end" if self._places else ""
        return f"{self._where}: {self.address}, {' and '.join(have) or 'neither console nor power'} by labgrid{place}"

    def listen(self, log: Path, liveness: Liveness) -> Console | None:
        """Reads the console, into the file `log` as well, until `close`; None where there is none. Raises UserError
        where it was never read and cannot be; one that breaks later is opened again."""
        if self._console is None:
            return None
        self.close()
        if not self._was_read:
            self._driver("ConsoleProtocol")
        self._was_read = True
        ours, theirs = socket.socketpair()
        console = Console(theirs, liveness)
        self._reading = _Reading(self._target, self._console, ours, log, self._where)
        return console

    def switch_on(self) -> None:
        """Switches the board on; BenchError when it fails."""
        self._switch("on", "on")

    def cycle(self) -> None:
        """Switches the board off and on; BenchError when it fails."""
        self._switch("cycle", "off and on")

    def close(self) -> None:
        """Ends the reading of the console; harmless when repeated."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.end()

    def release(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Gives back the places that were acquired here; `tell` receives a sentence each. Harmless when repeated."""
        self.close()
        places, self._places = self._places, []
        for place in places:
            done = self._client(place, "release")
            said = done.stderr.strip() or f"status {done.returncode}"
            tell(f"labgrid cannot release the place {place}: {said}" if done.returncode else f"{place} is released")

    def _acquire(self, environment: Any, role: str) -> None:
        config = environment.config.get_targets().get(role)
        if config is None:
            raise UserError(f"{self._file} has no target {role}", remedy=_FORM)
        resources, _ = self._labgrid.target_factory.normalize_config(config)
        # One that is ours already, or somebody else's, stays so, and it is told whose it is when it is used.
        places = resources.get("RemotePlace", {})
        self._places = [place for place in places if self._client(place, "acquire").returncode == 0]

    def _client(self, place: str, action: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labgrid.remote.client", "-c", self._file, "-p", place, action]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def _switch(self, action: str, said: str) -> None:
        self.close()  # labgrid's drivers count their steps without a lock: labgrid/step.py
        try:
            getattr(self._power, action)()
        except Exception as error:  # as in _errors_of_labgrid
            raise BenchError(f"{self._where}: labgrid cannot switch it {said}: {_said(error)}") from error

    def _driver(self, protocol: str, *, activate: bool = True) -> Any:
        try:
            return self._target.get_driver(getattr(self._protocol, protocol), activate=activate)
        except self._labgrid.exceptions.NoDriverFoundError:
            return None
        except Exception as error:  # as in _errors_of_labgrid
            raise UserError(f"{self._where}: its {protocol} does not work: {_said(error)}") from error

    @contextlib.contextmanager
    def _errors_of_labgrid(self) -> Iterator[None]:
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # of YAML, of attrs, of labgrid itself, which documents none
            raise UserError(
                f"labgrid finds no board in {self._file}: {_said(error)}",
                remedy="give the target a NetworkService, and a place that nobody has; see labgrid-client who",
            ) from error


class _Reading:
    """Passes what a driver of a console reads to a socket and a file, in a thread of its own, until `end`."""

    def __init__(self, target: Any, driver: Any, to: socket.socket, log: Path, where: str) -> None:
        self._target, self._driver, self._where = target, driver, where
        self._quiet = importlib.import_module("pexpect").TIMEOUT
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(to, log), name="labgrid-console", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends it; nothing reads the console afterwards, unless its driver does not return."""
        self._ended.set()
        self._thread.join(_ENDING)
        if self._thread.is_alive():
            _log.warning("%s: its console is left to labgrid's driver, which does not return", self._where)

    def _read(self, to: socket.socket, log: Path) -> None:
        to.settimeout(_QUIET)
        with to, _Log(log) as kept:
            while not self._ended.is_set():
                try:
                    self._target.activate(self._driver)
                    data = self._driver.read(timeout=_QUIET)
                except self._quiet:
                    continue
                except Exception as error:  # the board can be used without it
                    _log.warning("%s: its console is opened again: %s", self._where, _said(error))
                    with contextlib.suppress(Exception):
                        self._target.deactivate(self._driver)
                    self._ended.wait(_OPENED_AGAIN)
                    continue
                kept.write(data)
                self._pass_on(to, data)

    def _pass_on(self, to: socket.socket, data: bytes) -> None:
        """Hands on all of it, as long as somebody reads it or it is not to end."""
        left = memoryview(data)
        while left:
            try:
                left = left[to.send(left) :]
            except TimeoutError:
                if self._ended.is_set():
                    return
            except OSError:  # nobody reads it any more; the file goes on
                return


class _Log:
    """The file with what a console printed. What cannot be written, on a full disk for one, is missing; told once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._told = False

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Writes data, as far as that is possible."""
        try:
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            if not self._told:
                _log.warning("%s lacks what the console printed from now on, in part at least: %s", self._path, error)
            self._told = True


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
