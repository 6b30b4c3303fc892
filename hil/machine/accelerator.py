# SPDX-License-Identifier: MIT
"""Chooses between QEMU's accelerators: the host's CPU (KVM) or translation (TCG)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hil.arch import Architecture
from hil.errors import UserError

if TYPE_CHECKING:
    from hil.machine.spec import MachineSpec

_KVM = Path("/dev/kvm")


@dataclass(frozen=True)
class Accelerator:
    """One of QEMU's accelerators; `cpu` overrides the CPU model of the architecture, None keeps it."""

    name: str
    accel: str
    cpu: str | None = None

    def options(self, arch: Architecture) -> tuple[str, ...]:
        return ("-accel", self.accel, "-cpu", self.cpu or arch.cpu)


# One translating thread: `multi` gives nothing to a guest with one CPU, and the CPUs of larger guests take turns in it.
# The measurements showed no difference in speed above their noise.
TCG = Accelerator("tcg", "tcg,thread=single")
KVM = Accelerator("kvm", "kvm", cpu="host")
_BY_NAME = {"tcg": TCG, "kvm": KVM}


def choose(arch: Architecture, environment: dict[str, str] | None = None) -> Accelerator:
    """KVM where this host can run `arch` with it, else TCG. HIL_ACCELERATOR=tcg or =kvm overrides the choice."""
    return wanted(environment) or (KVM if kvm_usable(arch) else TCG)


def of(spec: MachineSpec) -> Accelerator:
    """TCG for a machine with a plugin, which is one of its translator; else as `choose`."""
    return TCG if spec.plugin else choose(spec.kernel.arch)


def wanted(environment: dict[str, str] | None = None) -> Accelerator | None:
    """The accelerator that HIL_ACCELERATOR names, None when it is not set; raises UserError when it is another name."""
    name = (os.environ if environment is None else environment).get("HIL_ACCELERATOR", "")
    if name and name not in _BY_NAME:
        raise UserError(f"HIL_ACCELERATOR={name!r} is not an accelerator", remedy="set it to tcg or kvm")
    return _BY_NAME.get(name)


def kvm_usable(
    arch: Architecture,
    *,
    machine: Callable[[], str] = platform.machine,
    device: Path = _KVM,
    cpuinfo: Path = Path("/proc/cpuinfo"),
) -> bool:
    """Whether KVM exists on this host, may be opened by us, and can run unmodified guests of `arch`."""
    if machine().lower() not in arch.host_machines or not os.access(device, os.R_OK | os.W_OK):
        return False
    return not arch.kvm_flags or not _cpu_flags(cpuinfo).isdisjoint(arch.kvm_flags)


def _cpu_flags(cpuinfo: Path) -> set[str]:
    for line in cpuinfo.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()
