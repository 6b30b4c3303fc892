"""Settings below /proc/sys: read, written, and put back as they were."""

from __future__ import annotations

from harness.lowering.context import O_RDONLY, O_WRONLY, Lowering, Reader, Setting, first_failure
from harness.script.surroundings import ReadSetting, SetSetting

LONGEST = 32
"""Bytes of a setting that is a number."""


def read(lowering: Lowering, operation: ReadSetting) -> Reader:
    digits = lowering.builder.alloc(LONGEST)
    opened = lowering.open(f"/proc/sys/{operation.path}", O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, digits, LONGEST)
        lowering.call("close", opened)
        number = lowering.builder.parse(digits, length)
    return first_failure([opened, number])


def write(lowering: Lowering, operation: SetSetting) -> Reader:
    path, before = f"/proc/sys/{operation.path}", lowering.builder.alloc(LONGEST)
    opened = lowering.open(path, O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, before, LONGEST)
        lowering.call("close", opened)
    lowering.settings.append(Setting(path, before, length))
    return first_failure(lowering.write_to(path, f"{operation.value}\n", O_WRONLY), value=0)
