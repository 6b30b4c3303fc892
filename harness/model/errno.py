# SPDX-License-Identifier: MIT
"""Errors as the model speaks of them: by name, and as what a helper leaves in R0."""

from __future__ import annotations

import errno

from harness.model.value import M64

NOT_SUPPORTED = "errno 524"
"""ENOTSUPP, which is the kernel's own and has no name for user space."""


class Errno(Exception):
    """A system call or helper fails with the errno of this name. Never leaves the model."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def negative(name: str) -> int:
    """-errno as 64 bits of a register: Linux' generic numbers, which every architecture here and this host share."""
    number = 524 if name == NOT_SUPPORTED else int(getattr(errno, name))
    return -number & M64
