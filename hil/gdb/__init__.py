# SPDX-License-Identifier: MIT
"""Debugging of machines with gdb: kernels, their symbols and their stacks. It knows nothing of BPF.

Nothing is imported here: what unwinds a stack runs inside gdb as well, whose Python has the standard library alone.
"""
