# SPDX-License-Identifier: MIT
"""Capabilities that the interface asks for, and capset(2): include/uapi/linux/capability.h."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum

VERSION = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3, since 2.6.26: two words for each set."""


class Capability(IntEnum):
    """Numbers of capabilities. Those a kernel does not have yet are ignored by its capset(2)."""

    DAC_OVERRIDE = 1
    NET_ADMIN = 12
    IPC_LOCK = 14
    SYS_PTRACE = 19
    SYS_ADMIN = 21
    SYS_RESOURCE = 24
    PERFMON = 38  # Linux 5.8
    BPF = 39  # Linux 5.8


def header() -> bytes:
    """Returns `struct __user_cap_header_struct` of the calling thread."""
    return struct.pack("<Ii", VERSION, 0)


def data(capabilities: Iterable[Capability]) -> bytes:
    """Returns `struct __user_cap_data_struct[2]`: these capabilities are effective and permitted, none is
    inheritable."""
    bits = sum(1 << capability for capability in set(capabilities))
    low, high = bits & 0xFFFF_FFFF, bits >> 32
    return struct.pack("<6I", low, low, 0, high, high, 0)
