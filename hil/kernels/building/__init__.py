# SPDX-License-Identifier: MIT
"""Builds kernels from source: a tarball checked by its hash, a recipe of `images/kernels`, the host's compiler."""
