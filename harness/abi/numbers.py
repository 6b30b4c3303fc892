# SPDX-License-Identifier: MIT
"""Numbers of arguments of system calls, under the names of the headers for user space.

They are the same on every architecture of the bench: include/uapi/asm-generic. `tests/harness/abi` compares each with
the headers by its name, so nothing else may be defined here.
"""

from __future__ import annotations

# fcntl.h
AT_FDCWD = -100
O_RDONLY, O_WRONLY, O_RDWR = 0o0, 0o1, 0o2
O_TRUNC, O_APPEND, O_CLOEXEC = 0o1000, 0o2000, 0o2000000

# sys/mman.h
PROT_NONE, PROT_READ, PROT_WRITE = 0x0, 0x1, 0x2
MAP_SHARED, MAP_FIXED = 0x01, 0x10

# sys/eventfd.h
EFD_SEMAPHORE, EFD_CLOEXEC = 0o1, 0o2000000

# sys/ioctl.h, where the names of parts of a request begin with an underscore
FIOCLEX = 0x5451
IOC_READ, IOC_TYPESHIFT, IOC_TYPEMASK, IOC_DIRSHIFT = 2, 8, 0xFF, 30

# time.h
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI = 0, 1, 4, 7, 11

# linux/prctl.h
PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, PR_SET_NAME, PR_GET_TIMERSLACK = 3, 7, 8, 15, 30

# sys/resource.h
RLIMIT_MEMLOCK = 8

# sys/socket.h
AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT = 1, 2, 0x40
SOL_SOCKET, SO_ATTACH_BPF = 1, 50
