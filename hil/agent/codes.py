# SPDX-License-Identifier: MIT
"""The numbers of the agent's wire format, under the names of `guest/wire.h`, against which tests hold each of them."""

from __future__ import annotations

from enum import IntEnum

PROTOCOL_VERSION = 3
FRAME_MAGIC = 0x4C48
NO_TAG = 0xFFFF_FFFF


class FrameType(IntEnum):
    """The content of a frame."""

    BATCH = 1
    HELLO = 2
    RESULT = 3
    ERROR = 4


class OperandKind(IntEnum):
    """How the number of an operand is interpreted."""

    IMMEDIATE = 0
    ADDRESS = 1
    RESULT = 2
    VALUE8 = 3
    VALUE16 = 4
    VALUE32 = 5
    VALUE64 = 6


class StepCode(IntEnum):
    """The action of a step."""

    WRITE = 1
    STORE = 2
    LOAD = 3
    SYSCALL = 4
    READ = 5
    PARSE = 6
    SKIP = 7
    REPEAT = 8
    THREAD = 9
    JOIN = 10
    PROCESS = 11
    PIN = 12
