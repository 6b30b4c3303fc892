# SPDX-License-Identifier: MIT
"""Operations on descriptors of any kind, and on mapped memory."""

from __future__ import annotations

from dataclasses import dataclass

from harness.script.values import Descriptor, Ref


@dataclass(frozen=True)
class OpenFile:
    """open(2) with O_RDWR | O_CLOEXEC: a descriptor that is neither map, program nor event."""

    name: str
    path: str = "/dev/null"


@dataclass(frozen=True)
class Duplicate:
    """dup(2)."""

    name: str
    of: Descriptor


@dataclass(frozen=True)
class Close:
    """close(2)."""

    descriptor: Descriptor


@dataclass(frozen=True)
class Unmap:
    """munmap(2) of a mapping of MapRing or MapRingBuffer."""

    ring: Ref
