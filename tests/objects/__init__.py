# SPDX-License-Identifier: MIT
"""BPF objects that others made: fetched as Debian's packages, and read. Nothing of them is in the repository."""
