# SPDX-License-Identifier: MIT
"""Facts that are read from the running kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """The facts of one boot. Where they differ from the records of the kernel, they take precedence.

    `release`, `version`, `machine` and `hostname` are those of uname(2); `page_size` is in bytes, `cpus` the number of
    possible CPUs. `settings` are the numbers read below /proc/sys, by path, without those that do not exist.
    `kprobes` says whether tracefs has `kprobe_events`. `options` is the configuration in /proc/config.gz
    (CONFIG_IKCONFIG_PROC), in the form of `hil.kernels.configuration.options`; None where the file does not exist.
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
        """The text that `uname -a` prints."""
        return f"Linux {self.hostname} {self.release} {self.version} {self.machine} GNU/Linux"
