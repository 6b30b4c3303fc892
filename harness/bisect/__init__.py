# SPDX-License-Identifier: MIT
"""Which point release made a script behave otherwise: a binary search over the kernels of Debian's archive."""
