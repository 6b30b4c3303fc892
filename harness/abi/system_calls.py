# SPDX-License-Identifier: MIT
"""System call numbers, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h."""

from __future__ import annotations

from hil.arch import entry
from hil.errors import UserError

_GENERIC = {
    "eventfd2": 19,
    "dup": 23,
    "ioctl": 29,
    "openat": 56,
    "close": 57,
    "lseek": 62,
    "read": 63,
    "write": 64,
    "pwrite64": 68,
    "capset": 91,
    "nanosleep": 101,
    "clock_settime": 112,
    "clock_gettime": 113,
    "setresuid": 147,
    "setresgid": 149,
    "getpgid": 155,
    "setgroups": 159,
    "setrlimit": 164,
    "prctl": 167,
    "getpid": 172,
    "socketpair": 199,
    "sendto": 206,
    "recvfrom": 207,
    "setsockopt": 208,
    "munmap": 215,
    "execve": 221,
    "mmap": 222,
    "mprotect": 226,
    "perf_event_open": 241,
    "wait4": 260,
    "bpf": 280,
}

NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "close": 3,
        "lseek": 8,
        "mmap": 9,
        "mprotect": 10,
        "munmap": 11,
        "ioctl": 16,
        "pwrite64": 18,
        "dup": 32,
        "nanosleep": 35,
        "getpid": 39,
        "sendto": 44,
        "recvfrom": 45,
        "socketpair": 53,
        "setsockopt": 54,
        "execve": 59,
        "wait4": 61,
        "setgroups": 116,
        "setresuid": 117,
        "setresgid": 119,
        "getpgid": 121,
        "capset": 126,
        "prctl": 157,
        "setrlimit": 160,
        "clock_settime": 227,
        "clock_gettime": 228,
        "openat": 257,
        "eventfd2": 290,
        "perf_event_open": 298,
        "bpf": 321,
    },
    "arm64": _GENERIC,
    "riscv64": _GENERIC,
}


def number(architecture: str, name: str) -> int:
    """Returns the number of a system call; raises UserError when it is not here."""
    file = "harness/abi/system_calls.py"
    numbers = entry(NUMBERS, architecture, file)
    if name not in numbers:
        raise UserError(f"{file} has no number of {name} for the architecture {architecture}", remedy="add it there")
    return numbers[name]
