# SPDX-License-Identifier: MIT
"""Files below /proc/sys: who may write to them, and their default values; fs/proc/proc_sysctl.c."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.abi.capabilities import Capability
from harness.model.eras import every_era
from harness.model.errno import Errno
from harness.model.interface.kernel import Kernel
from harness.model.unpredictable import Unpredictable
from harness.script.outcome import Outcome
from harness.script.surroundings import ReadSetting, SetSetting

EVER = frozenset(path for era in every_era() for path in era.settings)
"""Settings of any era; one that an era does not have is absent there."""
ANY_INT = range(-(1 << 31), 1 << 31)
TAKEN: Mapping[str, Collection[int]] = {
    "kernel/perf_event_paranoid": ANY_INT,
    "kernel/perf_event_mlock_kb": range(1 << 31),
    "kernel/perf_event_max_sample_rate": range(1, 100_001),
    "kernel/kptr_restrict": range(3),
    "kernel/unprivileged_bpf_disabled": (0, 2),  # 1 locks it until the next boot
}
"""Values that every era surely accepts; kernel/sysctl.c and its handlers."""
LOCKED = {"kernel/unprivileged_bpf_disabled": 1}
"""Values after which a setting takes no other, with an errno that depends on the release."""
FOR_ADMINS = frozenset({"kernel/kptr_restrict", "kernel/unprivileged_bpf_disabled"})
"""Settings whose writing fails with EPERM without CAP_SYS_ADMIN: proc_dointvec_minmax_sysadmin(),
bpf_unpriv_handler()."""


def read(kernel: Kernel, operation: ReadSetting) -> Outcome:
    _check_there(kernel, operation.path)
    return Outcome(value=kernel.settings[operation.path])


def write(kernel: Kernel, operation: SetSetting) -> Outcome:
    """Writes a setting; only root may, whatever capabilities others have: test_perm()."""
    _check_there(kernel, operation.path)
    if kernel.task.user != 0:
        raise Errno("EACCES")
    if operation.path in FOR_ADMINS and not kernel.task.capable(Capability.SYS_ADMIN):
        raise Errno("EPERM")
    if kernel.settings[operation.path] == LOCKED.get(operation.path):
        raise Unpredictable(f"whether {operation.path} takes anything once it is locked")
    if operation.value not in TAKEN[operation.path]:
        raise Unpredictable(f"whether {operation.path} takes {operation.value}")
    kernel.task.found.append((operation.path, kernel.settings[operation.path]))
    kernel.settings[operation.path] = operation.value
    return Outcome(value=0)


def put_back(kernel: Kernel) -> None:
    """Restores the settings that the ending process changed."""
    for path, value in reversed(kernel.task.found):
        kernel.settings[path] = value


def _check_there(kernel: Kernel, path: str) -> None:
    if path not in EVER:
        raise Unpredictable(f"what is in /proc/sys/{path}")
    if path not in kernel.settings:
        raise Errno("ENOENT")
