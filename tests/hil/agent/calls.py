# SPDX-License-Identifier: MIT
"""The numbers of the system calls in these tests on the host (asm/unistd_64.h, asm-generic/unistd.h)."""

from __future__ import annotations

import platform

_X86_64 = {
    "write": 1,
    "close": 3,
    "mmap": 9,
    "nanosleep": 35,
    "getpid": 39,
    "kill": 62,
    "wait4": 61,
    "setuid": 105,
    "getuid": 102,
    "dup": 32,
    "execve": 59,
    "exit_group": 231,
    "sched_getaffinity": 204,
    "gettid": 186,
    "setpgid": 109,
}
_ARM64 = {
    "write": 64,
    "close": 57,
    "mmap": 222,
    "nanosleep": 101,
    "getpid": 172,
    "kill": 129,
    "wait4": 260,
    "setuid": 146,
    "getuid": 174,
    "dup": 23,
    "execve": 221,
    "exit_group": 94,
    "sched_getaffinity": 123,
    "gettid": 178,
    "setpgid": 154,
}
NR = _ARM64 if platform.machine() in ("aarch64", "arm64") else _X86_64
