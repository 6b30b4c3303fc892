# SPDX-License-Identifier: MIT
"""Scripts that diverged, once more in lockstep, on a machine of their own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from harness.lane import Lane
from harness.lockstep.checking import check
from harness.lockstep.findings import Examined
from harness.lockstep.recording import lockstep_machine
from harness.lockstep.selftest import self_test
from harness.script.operations import Script
from harness.session import Listener, prepare
from hil.errors import HilError

_log = logging.getLogger(__name__)


def explain(lane: Lane, scripts: Sequence[Script], folder: Path, listener: Listener) -> dict[str, Examined]:
    """Returns what lockstep finds of each script by its name. A lane that cannot be examined, or one that dies, is not
    an error: the note of what is left says why."""
    found: dict[str, Examined] = {}
    why = ""
    try:
        with lockstep_machine(lane.kernel, prepare(lane.kernel, lane.arch, listener), folder, listener) as machine:
            ready = machine.lane(lane.engine)
            self_test(ready)
            for script in scripts:
                found[script.name] = check(ready, script).examined
    except HilError as error:
        _log.warning("%s: not in lockstep: %s", lane, error)
        why = str(error)
    return {script.name: found.get(script.name, Examined(note=why)) for script in scripts}
