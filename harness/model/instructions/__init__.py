# SPDX-License-Identifier: MIT
"""The semantics of instructions: one function for each opcode of `harness.isa.opcodes`, by the opcode's name."""
