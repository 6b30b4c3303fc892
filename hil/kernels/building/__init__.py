# SPDX-License-Identifier: MIT
"""Kernels built from their sources: a tarball by its hash, a recipe from `images/kernels`, and the host's compiler."""
