# SPDX-License-Identifier: MIT
"""The differential engine: random programs, run by kernels and by the model."""

from __future__ import annotations
