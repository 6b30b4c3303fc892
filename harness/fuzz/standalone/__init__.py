# SPDX-License-Identifier: MIT
"""Findings as C programs that need nothing of the bench: system calls, what they have to give, and an exit status."""
