# SPDX-License-Identifier: MIT
"""The bench: real Linux kernels you can boot, reach and debug. It knows nothing of BPF."""
