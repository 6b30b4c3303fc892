# SPDX-License-Identifier: MIT
"""Reaching a board that does not answer yet: one that boots, or that labgrid has to switch on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from hil.board.address import Address
from hil.board.lab import Lab
from hil.board.login import Line, Unreachable, log_in
from hil.errors import BenchError
from hil.machine import speed

_log = logging.getLogger(__name__)

COMES_BACK = 180.0
"""The nominal seconds within which a board has to answer that was lost, or switched on."""
_AGAIN = 2.0


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def await_login(
    address: Address, config: Path | None, seconds: float, given_up: Callable[[float], bool] = _sleep
) -> Line:
    """Log in as soon as the board answers, within nominal seconds; `given_up` waits for real seconds, or until nobody
    wants it any more, and returns which. Raises Unreachable, and errors as `log_in`."""
    deadline = time.monotonic() + seconds * speed.scale()
    while True:
        try:
            return log_in(address, config)
        except Unreachable as error:
            _log.debug("%s: %s", address, error)
            if time.monotonic() > deadline or given_up(_AGAIN):
                raise Unreachable(f"{error.what}, for {seconds:.0f} nominal s", remedy=error.remedy) from error


def wake(lab: Lab, config: Path | None, seconds: float, unreachable: Unreachable, tell: Callable[[str], None]) -> None:
    """Have labgrid switch a board on that was `unreachable`, and off and on if it does not answer then, for nominal
    seconds each; `tell` receives a sentence each. Raises BenchError when it does not answer, or cannot be switched."""
    if not lab.has_power:
        raise Unreachable(
            f"{unreachable.what}; labgrid has no power switch of it",
            remedy="switch it on, or give the target a driver of the PowerProtocol",
        )
    for said, switch in (("on", lab.switch_on), ("off and on", lab.cycle)):
        tell(f"{lab.address} does not answer; labgrid switches it {said}")
        switch()
        try:
            await_login(lab.address, config, seconds).close()
            return
        except Unreachable as error:
            unreachable = error
    raise BenchError(
        f"{unreachable.what}, though labgrid switched it on, and off and on",
        remedy="look what its console says: labgrid-client console",
    )
