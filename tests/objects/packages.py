# SPDX-License-Identifier: MIT
"""Which of Debian's packages have BPF objects, and in which suites."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """A package by name, in each of `suites`, for each of `architectures` as Debian calls them."""

    name: str
    suites: tuple[str, ...]
    architectures: tuple[str, ...] = ("x86_64",)


_BOTH = ("x86_64", "arm64")
_FROM_11, _FROM_12 = ("bullseye", "bookworm", "trixie", "sid"), ("bookworm", "trixie", "sid")
WANTED = (
    Wanted("opensnitch-ebpf-modules", ("trixie", "sid"), _BOTH),
    Wanted("libbpf-tools", _FROM_12, _BOTH),
    Wanted("pwru", ("trixie", "sid"), _BOTH),
    Wanted("bpftune", ("trixie", "sid"), _BOTH),
    Wanted("libbpftune0", ("trixie", "sid"), _BOTH),
    Wanted("golang-github-cilium-ebpf-dev", _FROM_11),
    Wanted("ir-keytable", ("bullseye", "bookworm", "sid"), _BOTH),
    Wanted("xdp-tools", _FROM_12, _BOTH),
    Wanted("suricata", ("bullseye", "trixie", "sid"), _BOTH),
    Wanted("udev-hid-bpf", ("sid",), _BOTH),
    Wanted("libxdp1", _FROM_12),
    Wanted("xdp-tests", ("sid",)),
    Wanted("systemd", ("sid",)),
    Wanted("bpftop", ("sid",)),
)
"""bpftune itself holds none; its objects are in libbpftune0."""
