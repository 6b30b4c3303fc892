# SPDX-License-Identifier: MIT
"""Descriptors of any kind: open(2), dup(2), close(2)."""

from __future__ import annotations

from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import PlainFile
from harness.model.unpredictable import Unpredictable
from harness.script.operations import Close, Duplicate, OpenFile
from harness.script.outcome import DESCRIPTOR, Outcome


def open_file(kernel: Kernel, operation: OpenFile) -> Outcome:
    if operation.path != "/dev/null":
        raise Unpredictable(f"whether {operation.path} can be opened")
    kernel.names.open(operation.name, PlainFile(operation.path))
    return Outcome(value=DESCRIPTOR)


def duplicate(kernel: Kernel, operation: Duplicate) -> Outcome:
    file = kernel.names.file(operation.of)
    file.references += 1
    kernel.names.bind(operation.name, file, close_on_exec=False)
    return Outcome(value=DESCRIPTOR)


def close(kernel: Kernel, operation: Close) -> Outcome:
    kernel.names.close(operation.descriptor)
    return Outcome(value=0)
