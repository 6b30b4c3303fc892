# SPDX-License-Identifier: MIT
"""What is checked: the instruction set, scripts, the model, and the comparison of both. It knows nothing of QEMU."""
