"""What the bench adds to a boot: QEMU's start to the agent's first answer, over the same kernel's bare boot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.benchmarks.ratio import Ratio, seconds
from harness.lowering.executor import AGENT
from hil import guestroot
from hil.agent.client import Agent
from hil.errors import BenchError
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec, QemuExited


def boot_ratio(kernel: Kernel, folder: Path, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Boot both ways in turn. The bare boot ends when an init that only powers off has ended QEMU."""
    root = guestroot.build(kernel)
    full_spec = MachineSpec(kernel, root, folder)
    bare_spec = MachineSpec(kernel, replace(root, initramfs=guestroot.bare(kernel)), folder / "bare")
    full, bare = [], []
    for number in range(1, rounds + 1):
        notify(f"boot {kernel.name}/{kernel.arch}, round {number} of {rounds}")
        bare.append(seconds(lambda: _boot_bare(bare_spec)))
        full.append(seconds(lambda: _boot_to_agent(full_spec)))
    return Ratio(
        f"{kernel.name}/{kernel.arch}: start to the agent's answer / bare boot to power-off",
        "s",
        tuple(full),
        tuple(bare),
        "at most 1.5",
    )


def _boot_to_agent(spec: MachineSpec) -> None:
    with Machine(spec) as machine:
        Agent(machine.open([AGENT])).close()


def _boot_bare(spec: MachineSpec) -> None:
    try:
        with Machine(spec):
            raise BenchError("the bare guest did not power off")
    except QemuExited:
        return
