# SPDX-License-Identifier: MIT
"""BPF object files: what is in them, and what a loader makes of it for a kernel."""
