# SPDX-License-Identifier: MIT
"""The system-call interface: descriptors, bpf(2), perf_event_open(2), kprobe_events, and what a hit does."""
