# SPDX-License-Identifier: MIT
"""Finding the point release that changed a script's behaviour: a binary search over the kernels of Debian's archive."""
