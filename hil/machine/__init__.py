# SPDX-License-Identifier: MIT
"""Machines: QEMU processes that run a kernel and accept SSH logins."""

from hil.machine.liveness import Ending, GuestPanicked, GuestStopped, MachineStopped, QemuExited, WaitFailed
from hil.machine.machine import Machine
from hil.machine.spec import MachineSpec
from hil.machine.waits import Wait

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
