# SPDX-License-Identifier: MIT
"""The differential engine: programs nobody wrote, run by kernels and by the model."""

from __future__ import annotations

from pathlib import Path

KNOWN = Path(__file__).parent / "known.toml"
"""Divergences of generated cases that are understood, see `harness.run.known`."""
