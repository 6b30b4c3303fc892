# SPDX-License-Identifier: MIT
"""Commands for gdb that know BPF: `bpf ...` and `ctx`, one file each. It runs inside gdb, in gdb's own Python, so
that nothing here, and nothing it imports, may need more than the standard library.

What it has to know of the lane and of the script is in a file that `hil` writes (`data.py`).
"""
