# SPDX-License-Identifier: MIT
"""Kernels: the catalogue of those that can be fetched, and the cache of those that have been."""
