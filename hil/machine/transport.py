# SPDX-License-Identifier: MIT
"""How virtio devices reach a guest: on the PCI bus, or, for a kernel that finds none, on the board's MMIO slots."""

from __future__ import annotations

from dataclasses import dataclass

from hil.kernels import configuration
from hil.kernels.kernel import Kernel


@dataclass(frozen=True)
class Transport:
    """`suffix` ends the names of QEMU's devices (virtio-net-pci); `network` is added to the network card's options."""

    suffix: str
    network: str = ""


# `romfile=`: no network boot ROM; the firmware would only spend time on it. Only PCI cards have one.
PCI = Transport("pci", network=",romfile=")
MMIO = Transport("device")


def choose(kernel: Kernel) -> Transport:
    """PCI where the kernel has the driver of the board's PCI host, as `pci_host` of the architecture names it."""
    return PCI if configuration.options_of(kernel.config).get(kernel.arch.pci_host) == "y" else MMIO
