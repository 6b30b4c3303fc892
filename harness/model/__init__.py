# SPDX-License-Identifier: MIT
"""The model: an executable specification of BPF programs on kprobes, for each kernel release."""
