# SPDX-License-Identifier: MIT
"""The model: an executable specification of BPF programs on kprobes, era by era."""
