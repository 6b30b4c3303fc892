# SPDX-License-Identifier: MIT
"""The transport of virtio devices: PCI, or the board's MMIO slots for a kernel without a driver for its PCI host."""

from __future__ import annotations

from dataclasses import dataclass

from hil.kernels import configuration
from hil.kernels.kernel import Kernel


@dataclass(frozen=True)
class Transport:
    """A transport; `suffix` ends the names of QEMU's devices (virtio-net-pci), `network` is added to the options of the
    network card."""

    suffix: str
    network: str = ""


# `romfile=`: no network boot ROM, which would only cost the firmware time. Only PCI cards have one.
PCI = Transport("pci", network=",romfile=")
MMIO = Transport("device")


def choose(kernel: Kernel) -> Transport:
    """PCI where the kernel has the driver of the board's PCI host (`pci_host` of the architecture), else MMIO."""
    return PCI if configuration.options_of(kernel.config).get(kernel.arch.pci_host) == "y" else MMIO
