# SPDX-License-Identifier: MIT
"""Kernels: the catalogue of those we know, and the cache of those at hand."""
