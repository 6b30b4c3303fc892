"""Files below /proc/sys: who may write to them, and what they hold by default; fs/proc/proc_sysctl.c."""

from __future__ import annotations

from harness.model.eras import ERAS
from harness.model.errno import Errno
from harness.model.interface.kernel import Kernel
from harness.model.value import Unpredictable
from harness.script.outcome import Outcome
from harness.script.surroundings import ReadSetting, SetSetting

EVER = frozenset(path for era in ERAS.values() for path in era.settings)
"""Settings of any era; one that an era does not have is not there."""


def read(kernel: Kernel, operation: ReadSetting) -> Outcome:
    _check_there(kernel, operation.path)
    return Outcome(value=kernel.settings[operation.path])


def write(kernel: Kernel, operation: SetSetting) -> Outcome:
    """They are root's, whatever capabilities others have: test_perm()."""
    _check_there(kernel, operation.path)
    if kernel.task.uid != 0:
        raise Errno("EACCES")
    kernel.settings[operation.path] = operation.value
    return Outcome(value=0)


def _check_there(kernel: Kernel, path: str) -> None:
    if path not in EVER:
        raise Unpredictable(f"what is in /proc/sys/{path}")
    if path not in kernel.settings:
        raise Errno("ENOENT")
