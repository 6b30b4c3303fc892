# SPDX-License-Identifier: MIT
"""The differences of later verifiers from 4.1's, and what can be predicted of them from it.

Each module is one change of kernel/bpf/verifier.c; harness/model/upstream/verifying.py says which release made it.
`predict` is the entry point.
"""

from harness.model.verifier.later.predict import Effort, Narrowed, Reached, predict

__all__ = ["Effort", "Narrowed", "Reached", "predict"]
