# SPDX-License-Identifier: MIT
"""Errors of kernels that the bench found or confirmed, each with the smallest program that shows it."""
