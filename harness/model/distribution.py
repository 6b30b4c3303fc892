# SPDX-License-Identifier: MIT
"""What a distribution makes of upstream Linux: its configuration and its patches. The records are data, in
images/distributions; here is what they mean for the rules."""

from __future__ import annotations

from collections.abc import Mapping

from harness.release import Release, dotted, release
from hil.kernels import distributions
from hil.kernels.distributions import Distribution

__all__ = ["Distribution"]

NO_LEVEL = 1 << 31
PARANOID_ANY: Mapping[str, int] = {"perf-event-restrict": 3}
"""Patches by which nobody without CAP_SYS_ADMIN opens any event, and the kernel.perf_event_paranoid from which on."""

VANILLA, DEBIAN = distributions.named("vanilla"), distributions.named("debian")


def paranoid_any(distribution: Distribution) -> int:
    """From this kernel.perf_event_paranoid on nobody without CAP_SYS_ADMIN opens any event."""
    return min((level for patch, level in PARANOID_ANY.items() if patch in distribution.patches), default=NO_LEVEL)


def landing_pads(distribution: Distribution, of: Release) -> bool:
    """Whether kernels of a release have landing pads before the first instruction of functions, where the architecture
    knows them."""
    since = distribution.options.get("CONFIG_X86_KERNEL_IBT", distributions.NEVER)
    return bool(since) and release(since) <= of


def configured(options: Mapping[str, str]) -> Distribution:
    """What a kernel's configuration (the options that are set, with their CONFIG_) says of its distribution."""
    return distributions.told(options)[0]


def usual(release: Release) -> Distribution:
    """Whose kernels of a release the catalogue has."""
    return distributions.usual(dotted(release))
