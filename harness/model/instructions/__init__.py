# SPDX-License-Identifier: MIT
"""What each instruction does: one function an opcode of `harness.isa.opcodes`, by the opcode's name."""
