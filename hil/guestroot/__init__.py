# SPDX-License-Identifier: MIT
"""Guest roots: one initramfs a kernel, with a shell, an SSH server, the agent and the drivers the bench needs."""

from hil.guestroot.guestroot import Contents, GuestRoot, bare, build

__all__ = ["Contents", "GuestRoot", "bare", "build"]
