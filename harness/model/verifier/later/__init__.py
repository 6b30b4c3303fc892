# SPDX-License-Identifier: MIT
"""What later verifiers do otherwise than 4.1's, and what can be said of them with 4.1's as the base.

Each module is one change of kernel/bpf/verifier.c; harness/model/upstream/verifying.py says which release made it.
`predict` is the way in.
"""

from harness.model.verifier.later.predict import predict

__all__ = ["predict"]
