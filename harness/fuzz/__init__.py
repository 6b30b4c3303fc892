# SPDX-License-Identifier: MIT
"""The differential engine: programs nobody wrote, run by kernels and by the model."""

from __future__ import annotations
