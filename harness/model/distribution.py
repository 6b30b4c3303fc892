"""What a distribution makes of upstream Linux: its configuration and its patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from harness.release import Release

NO_LEVEL = 1 << 31


@dataclass(frozen=True)
class Distribution:
    """`settings` are values below /proc/sys that differ from upstream's defaults, where the release has the setting.

    From `paranoid_any` of kernel.perf_event_paranoid on nobody without CAP_SYS_ADMIN opens any event: a patch.
    `landing_pads` is the first release whose x86_64 kernels have X86_KERNEL_IBT, which puts a landing pad before the
    first instruction of a function (where the CPU has it); None without.
    """

    name: str
    settings: Mapping[str, int] = field(default_factory=dict, hash=False)
    paranoid_any: int = NO_LEVEL
    landing_pads: Release | None = None


VANILLA = Distribution("kernel.org")
DEBIAN = Distribution(
    "Debian",
    MappingProxyType({"kernel/perf_event_paranoid": 3, "kernel/unprivileged_bpf_disabled": 2}),
    paranoid_any=3,  # debian/patches: "security,perf: Allow further restriction of perf_event_open"
    landing_pads=(6, 12),  # seen on 6.12.117, and not on 6.1.192
)
DISTRIBUTIONS: Mapping[str, Distribution] = {"vanilla": VANILLA, "debian": DEBIAN}
"""By the name a user gives them."""


def configured(options: Mapping[str, str]) -> Distribution:
    """What a kernel's configuration (the options that are set, with their CONFIG_) says of its distribution."""
    restricts = "CONFIG_SECURITY_PERF_EVENTS_RESTRICT" in options  # an option of Debian's patch, which others took over
    base = DEBIAN if restricts else VANILLA
    off = "CONFIG_BPF_UNPRIV_DEFAULT_OFF" in options
    settings = {**base.settings, "kernel/unprivileged_bpf_disabled": 2 if off else 0}
    pads = (4, 1) if "CONFIG_X86_KERNEL_IBT" in options else None
    return replace(base, settings=MappingProxyType(settings), landing_pads=pads)


def usual(release: Release) -> Distribution:
    """Whose kernels of a release the catalogue has."""
    return VANILLA if release == (4, 1) else DEBIAN
