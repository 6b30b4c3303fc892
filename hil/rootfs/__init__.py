# SPDX-License-Identifier: MIT
"""Root file systems for programs that need more than the guest root has: Debian's, or a user's own, as a disk."""
