# SPDX-License-Identifier: MIT
"""Machines: QEMU processes that run a kernel and accept SSH logins."""

from hil.machine.liveness import GuestPanicked, GuestStopped, MachineStopped, QemuExited, WaitFailed
from hil.machine.machine import Ending, Machine, Wait
from hil.machine.spec import MachineSpec

__all__ = [
    "Ending",
    "GuestPanicked",
    "GuestStopped",
    "Machine",
    "MachineSpec",
    "MachineStopped",
    "QemuExited",
    "Wait",
    "WaitFailed",
]
