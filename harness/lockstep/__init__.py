# SPDX-License-Identifier: MIT
"""Lockstep: every BPF instruction that a lane executes, held against the model's trace of the same script.

The guest runs at speed; QEMU's translator writes one record an instruction (`hil.recorder`), and the records are
compared afterwards. docs/lockstep.md describes it.
"""
