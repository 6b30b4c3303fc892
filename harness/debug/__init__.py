# SPDX-License-Identifier: MIT
"""Debugging a program on a kprobe: stop the kernel where it is about to run the program, look around, go on."""
