# SPDX-License-Identifier: MIT
"""The words for the kinds of reasons why a program did not load or attach."""

from __future__ import annotations

from harness.objects.reasons import Reason

OF_KERNELS = frozenset(
    (
        *("newer-kernel", "no-kprobes", "version", "memlock", "permission", "map", "size", "size-left-open", "slot"),
        *("too-many-instructions", "too-complex", "verifier", "helper", "not-gpl", "core-field-missing"),
        *("architecture", "load", "symbol", "ambiguous-symbol", "not-probeable", "no-entry-probe", "no-tracepoint"),
        *("no-trampoline", "no-fprobe", "no-uprobes"),
        "attach",
    )
)
"""Those of `harness.check.explaining`, for what a kernel refused."""
KINDS = OF_KERNELS | {reason.word for reason in Reason}
"""All of them: also those why a program was not passed to the kernel."""
