# SPDX-License-Identifier: MIT
"""What a distribution changes in upstream Linux: its configuration and its patches. The records are data in
images/distributions; this module gives their meaning for the rules."""

from __future__ import annotations

from collections.abc import Mapping

from harness.release import Release, dotted, release
from hil.kernels import distributions
from hil.kernels.distributions import Distribution

__all__ = ["Distribution"]

NO_LEVEL = 1 << 31
PARANOID_ANY: Mapping[str, int] = {"perf-event-restrict": 3}
"""Patches by which nobody without CAP_SYS_ADMIN opens any event, and the lowest kernel.perf_event_paranoid at which
they refuse it."""

VANILLA, DEBIAN = distributions.named("vanilla"), distributions.named("debian")


def paranoid_any(distribution: Distribution) -> int:
    """Returns the lowest kernel.perf_event_paranoid at which nobody without CAP_SYS_ADMIN opens any event."""
    return min((level for patch, level in PARANOID_ANY.items() if patch in distribution.patches), default=NO_LEVEL)


def landing_pads(distribution: Distribution, of: Release) -> bool:
    """Returns whether kernels of a release have landing pads before the first instruction of functions, on
    architectures that have them."""
    since = distribution.options.get("CONFIG_X86_KERNEL_IBT", distributions.NEVER)
    return bool(since) and release(since) <= of


def configured(options: Mapping[str, str]) -> Distribution:
    """Returns the distribution that a kernel's configuration (the options that are set, with their CONFIG_)
    describes."""
    return distributions.detect(options)[0]


def usual(release: Release) -> Distribution:
    """Returns the distribution whose kernels of a release the catalogue has."""
    return distributions.of_catalogue(dotted(release))
