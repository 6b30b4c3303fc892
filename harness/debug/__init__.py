# SPDX-License-Identifier: MIT
"""Debugging a program on a kprobe: the kernel is stopped where it is about to run the program, inspected, and
continued."""
