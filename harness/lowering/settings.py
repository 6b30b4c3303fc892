# SPDX-License-Identifier: MIT
"""Settings below /proc/sys: reading, writing, and restoring them."""

from __future__ import annotations

import re

from harness.abi.numbers import O_RDONLY, O_WRONLY
from harness.lowering.context import Lowering, Reader, Setting, first_failure
from harness.script.outcome import Outcome
from harness.script.surroundings import ReadSetting, SetSetting
from hil.agent.results import BatchResult

LONGEST = 32
"""The bytes of a setting that is a number."""
_NUMBER = re.compile(rb"\s*-?\d+")


def read(lowering: Lowering, operation: ReadSetting) -> Reader:
    """Reads a setting; the number is parsed on the host, since the agent's numbers have no sign; EINVAL stands for no
    number."""
    digits = lowering.builder.alloc(LONGEST)
    opened = lowering.open(f"/proc/sys/{operation.path}", O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, digits, LONGEST)
        lowering.call("close", opened)
        content = lowering.builder.read(digits, LONGEST)
    called = first_failure([opened, length])

    def outcome(results: BatchResult) -> Outcome:
        if (failed := called(results)).errno:
            return failed
        number = _NUMBER.match(results.done(content).data)
        return Outcome(value=int(number[0])) if number else Outcome(errno="EINVAL")

    return outcome


def write(lowering: Lowering, operation: SetSetting) -> Reader:
    path, before = f"/proc/sys/{operation.path}", lowering.builder.alloc(LONGEST)
    opened = lowering.open(path, O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, before, LONGEST)
        lowering.call("close", opened)
    lowering.settings.append(Setting(path, before, length))
    return first_failure(lowering.write_to(path, f"{operation.value}\n", O_WRONLY), value=0)
