# SPDX-License-Identifier: MIT
"""The verifier of Linux 4.1, to be read next to kernel/bpf/verifier.c of that release.

There is one module for each group of the kernel's functions, and one function for each check, named after the kernel's
where it has a name; the order of the checks is the kernel's order, and what the kernel accepts by mistake is accepted
here. `verify` is the entry point, every refusal carries its rule (`rules`), and `linux_4_1` puts the functions
together. What later verifiers do otherwise is in `later`; which of it a release has, in
harness/model/upstream/verifying.py.
"""

from harness.model.verifier.context import LINUX_4_1, Limits, LogRequest, MapShape, VerifierContext
from harness.model.verifier.prototypes import SCHED_ACT, SCHED_CLS, SOCKET_FILTER, ProgramKind, kprobe, tracepoint
from harness.model.verifier.verdict import Verdict
from harness.model.verifier.verify import verify

__all__ = [
    "LINUX_4_1",
    "SCHED_ACT",
    "SCHED_CLS",
    "SOCKET_FILTER",
    "Limits",
    "LogRequest",
    "MapShape",
    "ProgramKind",
    "Verdict",
    "VerifierContext",
    "kprobe",
    "tracepoint",
    "verify",
]
