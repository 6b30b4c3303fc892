# SPDX-License-Identifier: MIT
"""What is left of a guest that died or hangs: read over QMP while QEMU holds it. It knows no BPF."""

from hil.postmortem.cpu import StillCpu
from hil.postmortem.examining import Look, examine

__all__ = ["Look", "StillCpu", "examine"]
