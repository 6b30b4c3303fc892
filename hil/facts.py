# SPDX-License-Identifier: MIT
"""What a running kernel tells of itself, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Read once a boot. Where they differ from what the records of a kernel say, they are believed.

    `release`, `version`, `machine` and `hostname` are those of uname(2); `page_size` is in bytes, `cpus` how many there
    can be. `settings` are the numbers below /proc/sys that were asked for, by path; one that is not there is missing.
    `kprobes` is whether tracefs takes probes (`kprobe_events`). `options` are what CONFIG_IKCONFIG_PROC shows of the
    configuration (/proc/config.gz), as `hil.kernels.configuration.options` has them; None where it shows nothing.
    """

    release: str
    version: str
    machine: str
    hostname: str
    page_size: int
    cpus: int
    settings: Mapping[str, int]
    kprobes: bool
    options: Mapping[str, str] | None = None

    @property
    def uname(self) -> str:
        """What `uname -a` prints."""
        return f"Linux {self.hostname} {self.release} {self.version} {self.machine} GNU/Linux"
