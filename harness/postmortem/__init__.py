# SPDX-License-Identifier: MIT
"""Which BPF program a guest that died or hangs was executing, and at which instruction."""
