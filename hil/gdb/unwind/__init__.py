# SPDX-License-Identifier: MIT
"""Backtraces of a stopped kernel without debug information: one file per method, and the table that chooses one."""
