# SPDX-License-Identifier: MIT
"""A plugin for pytest: tests that run on every lane of a matrix, and compare its kernels with the model."""
