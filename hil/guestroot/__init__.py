# SPDX-License-Identifier: MIT
"""Guest roots: an initramfs for each kernel, with a shell, an SSH server, the agent and the drivers it needs."""

from hil.guestroot.guestroot import Contents, GuestRoot, bare, build

__all__ = ["Contents", "GuestRoot", "bare", "build"]
