# SPDX-License-Identifier: MIT
"""Numbers and layouts of the kernel's interface: system calls, `union bpf_attr`, `struct perf_event_attr`, pt_regs."""
