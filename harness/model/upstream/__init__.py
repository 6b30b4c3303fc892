# SPDX-License-Identifier: MIT
"""Upstream Linux, release by release: what 4.1 does, and every change since, keyed by the release that made it.

upstream((5, 15))      # the rules of 4.1 with all that changed up to 5.15
unchecked((5, 15))     # changes of which nobody has looked up whether 5.15 has them
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from harness.model.rules import Upstream, version
from harness.model.upstream import commands, events, loading, maps, prototypes, running, verifying
from harness.model.upstream.change import Change, Seen
from harness.model.upstream.linux_4_1 import LINUX_4_1
from harness.release import Release

FILES = (commands, maps, loading, verifying, prototypes, running, events)
CHANGES: tuple[Change, ...] = tuple(
    sorted(
        (change for file in FILES for change in file.CHANGES),
        key=lambda change: change.since,
    )
)
"""All changes, oldest first; those of one release in the order of their files, which is the order they build on each
other."""
LATEST: Mapping[Release, int] = {
    (4, 1): LINUX_4_1.latest,
    (5, 10): version(5, 10, 255),  # of 5.10.262: the last number ends at 255, Makefile
    (6, 1): version(6, 1, 192),
    (6, 12): version(6, 12, 118),
    (7, 2): version(7, 2, 13),
}
"""Releases that every clause was held against in running kernels: LINUX_VERSION_CODE of the newest of each."""


@cache
def upstream(release: Release, supposed: frozenset[Seen] = frozenset()) -> Upstream:
    """Returns the rules of a release. Of the changes that nobody has looked up for it, it has those that are
    `supposed`."""
    rules = replace(LINUX_4_1, release=release, latest=LATEST.get(release, version(*release, 0)))
    for change in CHANGES:
        if change.concerns(release) or change in supposed:
            rules = change.apply(rules)
    return rules


def unchecked(release: Release) -> tuple[Change, ...]:
    """Returns the changes that came between two releases in `LATEST`, and perhaps before `release`, which lies between
    the same two: it may have them or not. For a release later than all of these, nothing is known."""
    return tuple(change for change in CHANGES if change.unchecked(release))
