# SPDX-License-Identifier: MIT
"""Nothing is left of a kernel that a test imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hil.arch import architecture
from hil.kernels import importing
from hil.kernels.entry import Parts
from tests.borrowed_kernels import forget
from tests.hil.kernels.conftest import build, cached

__all__ = ["build", "cached"]


def test_nothing_is_left_of_a_borrowed_kernel(cached: Path, build: Callable[..., Parts]) -> None:
    arm64 = architecture("arm64")
    importing.add("mine", build("arm64", "5.15.3"))
    roots = cached.parent / "guestroots"
    roots.mkdir()
    (roots / "mine-arm64-0.cpio").touch()
    forget("mine", arm64)
    assert not (cached / "mine").exists() and not list(roots.iterdir())
