# SPDX-License-Identifier: MIT
"""CPUs of a guest that boots with one of them: the others are there, and come up when somebody asks for them."""

from __future__ import annotations

from hil.errors import BenchError
from hil.kernels.catalogue import numbers
from hil.kernels.kernel import Kernel
from hil.target import Target

ONE_AT_FIRST = "maxcpus=1"
"""For the kernel's command line, Documentation/admin-guide/kernel-parameters.txt."""

_FOLDER = "/sys/devices/system/cpu"
_BRING_UP = f"""
for switch in {_FOLDER}/cpu*/online; do
    read -r state <"$switch"
    [ "$state" = 1 ] || echo 1 >"$switch" || exit 1
done
cat {_FOLDER}/online {_FOLDER}/possible
"""


def at_first(kernel: Kernel) -> tuple[str, ...]:
    """Words of the command line with which a kernel boots on one CPU; none where the others would then not come up
    later."""
    major, minor = numbers(kernel.arch.late_cpus_since)
    absent = kernel.version_code < (major << 16 | minor << 8)
    return () if absent else (ONE_AT_FIRST,)


def bring_up(target: Target) -> None:
    """Start every CPU that is not running, Documentation/core-api/cpu_hotplug.rst; BenchError when one does not."""
    done = target.run(["sh", "-c", _BRING_UP])
    states = done.stdout.decode(errors="replace").split()
    if done.status or len(states) != 2 or states[0] != states[1]:
        said = done.stderr.decode(errors="replace").strip() or " of ".join(states)
        raise BenchError(
            f"not every CPU of the guest comes up: {said}", remedy="its kernel needs CONFIG_SMP and CONFIG_HOTPLUG_CPU"
        )
