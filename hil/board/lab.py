# SPDX-License-Identifier: MIT
"""Boards of a labgrid environment: the address, the console and the power of a target, by labgrid's own drivers.

https://labgrid.readthedocs.io: an environment is a file in YAML with targets by their roles. What is taken of one is
the resource `NetworkService`, and the drivers of the protocols `ConsoleProtocol` and `PowerProtocol`.
"""

from __future__ import annotations

import importlib
import logging
import socket
import threading
from pathlib import Path
from typing import Any

from hil.board.address import Address
from hil.errors import BenchError, UserError
from hil.machine.console import Console
from hil.machine.liveness import Liveness

_log = logging.getLogger(__name__)

PREFIX = "labgrid:"
_FORM = "write labgrid:FILE, or labgrid:FILE#ROLE for another target than main"
_QUIET = 0.5
"""Seconds for which the console is asked at a time."""


class Lab:
    """A target of an environment. `where` is what the user wrote, `labgrid:FILE#ROLE`."""

    def __init__(self, where: str) -> None:
        """Raises UserError where labgrid is not installed, the environment has no such target, or the target has no
        address."""
        file, _, role = where.removeprefix(PREFIX).partition("#")
        if not Path(file).is_file():
            raise UserError(f"there is no file {file}, the environment of --target {where}", remedy=_FORM)
        self._where = where
        try:
            self._labgrid = importlib.import_module("labgrid")
            self._protocol = importlib.import_module("labgrid.protocol")
            resource = importlib.import_module("labgrid.resource")
        except ImportError as error:
            raise UserError(
                f"--target {where} needs labgrid: {error}", remedy="install it: pip install 'hil[labgrid]'"
            ) from None
        try:
            self._target = self._labgrid.Environment(file).get_target(role or "main")
            if self._target is None:
                raise UserError(f"{file} has no target {role or 'main'}", remedy=_FORM)
            service = self._target.get_resource(resource.NetworkService)
        except UserError:
            raise
        except Exception as error:  # of YAML, of attrs, of labgrid itself, which documents none
            raise UserError(
                f"labgrid finds no board in {file}: {_said(error)}",
                remedy="give the target a NetworkService, and see labgrid-client -c FILE",
            ) from error
        self.address = Address(service.address, service.username or None, service.port if service.port != 22 else None)
        self._console = self._driver("ConsoleProtocol")
        self._power = self._driver("PowerProtocol")
        self._closed = threading.Event()

    @property
    def told(self) -> str:
        """What there is beside the address, in a sentence."""
        have = [name for name, driver in (("console", self._console), ("power", self._power)) if driver is not None]
        return f"{self._where}: {self.address}, {' and '.join(have) or 'neither console nor power'} by labgrid"

    def listen(self, log: Path, liveness: Liveness) -> Console | None:
        """Reads the console, into the file `log` as well, until `close`; None where there is none."""
        if self._console is None:
            return None
        self._closed.clear()
        ours, theirs = socket.socketpair()
        console = Console(theirs, liveness)
        threading.Thread(target=self._pump, args=(ours, log), name="labgrid-console", daemon=True).start()
        return console

    def cycle(self) -> bool:
        """Switches the board off and on; False where it has no power switch. Raises BenchError when it fails."""
        if self._power is None:
            return False
        try:
            self._power.cycle()
        except Exception as error:  # as above
            raise BenchError(f"{self._where}: labgrid cannot switch it off and on: {_said(error)}") from error
        return True

    def close(self) -> None:
        """Ends the reading of the console; harmless when repeated."""
        self._closed.set()

    def _driver(self, protocol: str) -> Any:
        try:
            return self._target.get_driver(getattr(self._protocol, protocol))
        except self._labgrid.exceptions.NoDriverFoundError:
            return None
        except Exception as error:  # as above
            raise UserError(f"{self._where}: its {protocol} does not work: {_said(error)}") from error

    def _pump(self, to: socket.socket, log: Path) -> None:
        quiet = importlib.import_module("pexpect").TIMEOUT
        with to, log.open("ab", buffering=0) as kept:
            while not self._closed.is_set():
                try:
                    data = self._console.read(timeout=_QUIET)
                    kept.write(data)
                    to.sendall(data)
                except quiet:
                    continue
                except Exception as error:  # the board can be used without it
                    _log.warning("%s: its console is not read any more: %s", self._where, _said(error))
                    return


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
