# SPDX-License-Identifier: MIT
"""The fixtures under short names. A project in which these collide with others turns them off: `hil_short_names`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.debug.bpf_session import Debugger
    from harness.lane import Lane
    from harness.model.executor import ModelExecutor
    from harness.pytest_plugin.guest import LaneGuest
    from hil.machine import Machine


@pytest.fixture(scope="session")
def lane(hil_lane: Lane) -> Lane:
    """hil_lane: the kernel, architecture and engine that the test runs on."""
    return hil_lane


@pytest.fixture
def guest(hil_guest: LaneGuest) -> LaneGuest:
    """hil_guest: the guest of the lane, which carries out operations and compares them with the model."""
    return hil_guest


@pytest.fixture
def model(hil_model: ModelExecutor) -> ModelExecutor:
    """hil_model: the model of the lane."""
    return hil_model


@pytest.fixture
def machine(hil_machine: Machine) -> Machine:
    """hil_machine: the machine that the guest runs in."""
    return hil_machine


@pytest.fixture
def debugger(hil_debugger: Debugger) -> Debugger:
    """hil_debugger: the lane under gdb, on a machine of its own."""
    return hil_debugger
