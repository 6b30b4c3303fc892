# SPDX-License-Identifier: MIT
"""The BPF instruction set: encode, decode, assemble, disassemble."""
