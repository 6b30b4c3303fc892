"""System call numbers, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h."""

from __future__ import annotations

NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "close": 3,
        "lseek": 8,
        "mmap": 9,
        "munmap": 11,
        "ioctl": 16,
        "dup": 32,
        "socketpair": 53,
        "sendto": 44,
        "recvfrom": 45,
        "setsockopt": 54,
        "getpgid": 121,
        "prctl": 157,
        "openat": 257,
        "perf_event_open": 298,
        "bpf": 321,
    },
    "arm64": {
        "dup": 23,
        "ioctl": 29,
        "openat": 56,
        "close": 57,
        "lseek": 62,
        "read": 63,
        "write": 64,
        "getpgid": 155,
        "prctl": 167,
        "socketpair": 199,
        "sendto": 206,
        "recvfrom": 207,
        "setsockopt": 208,
        "munmap": 215,
        "mmap": 222,
        "perf_event_open": 241,
        "bpf": 280,
    },
}
