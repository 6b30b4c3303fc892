# SPDX-License-Identifier: MIT
"""Errors in the model: by name, and as the negative number that a helper leaves in R0."""

from __future__ import annotations

import errno

from harness.model.value import M64

NOT_SUPPORTED = "errno 524"
"""ENOTSUPP, which exists in the kernel only and has no name in user space."""


class Errno(Exception):
    """A system call or helper fails with the errno of this name. It is always caught inside the model."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def negative(name: str) -> int:
    """Returns -errno as the 64 bits of a register: Linux' generic numbers, which every architecture here and this host
    share."""
    number = 524 if name == NOT_SUPPORTED else int(getattr(errno, name))
    return -number & M64
