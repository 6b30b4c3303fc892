# SPDX-License-Identifier: MIT
"""Secondary CPUs of a guest that boots on one CPU: they are present, and brought online when they are needed."""

from __future__ import annotations

from hil.errors import BenchError
from hil.kernels.catalogue import numbers
from hil.kernels.kernel import Kernel
from hil.target import Target

ONE_AT_FIRST = "maxcpus=1"
"""The option of the kernel command line for that, Documentation/admin-guide/kernel-parameters.txt."""

_FOLDER = "/sys/devices/system/cpu"
_BRING_UP = f"""
for switch in {_FOLDER}/cpu*/online; do
    read -r state <"$switch"
    [ "$state" = 1 ] || echo 1 >"$switch" || exit 1
done
cat {_FOLDER}/online {_FOLDER}/possible
"""


def at_first(kernel: Kernel) -> tuple[str, ...]:
    """The options of the command line by which a kernel boots on one CPU; none where the others could not be brought
    online later."""
    major, minor = numbers(kernel.arch.late_cpus_since)
    absent = kernel.version_code < (major << 16 | minor << 8)
    return () if absent else (ONE_AT_FIRST,)


def bring_up(target: Target) -> None:
    """Bring every CPU online, Documentation/core-api/cpu_hotplug.rst; raises BenchError when one stays offline."""
    done = target.run(["sh", "-c", _BRING_UP])
    states = done.stdout.decode(errors="replace").split()
    if done.status or len(states) != 2 or states[0] != states[1]:
        reason = done.stderr.decode(errors="replace").strip() or " of ".join(states)
        raise BenchError(
            f"not every CPU of the guest comes online: {reason}",
            remedy="its kernel needs CONFIG_SMP and CONFIG_HOTPLUG_CPU",
        )
