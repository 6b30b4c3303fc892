# SPDX-License-Identifier: MIT
"""One change of upstream Linux that the model knows of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.model.rules import ALWAYS, UNCERTAIN, Backport, Upstream, version
from harness.release import Release

BETWEEN_THOSE_SEEN: Mapping[Release, Backport] = {
    (5, 10): Backport(version(5, 10, 223), version(5, 10, 255)),
    (6, 1): Backport(0, version(6, 1, 192)),
    (6, 6): Backport(version(6, 6, 17), version(6, 6, 87)),
    (6, 12): Backport(0, version(6, 12, 117)),
}
"""The `stable` releases of a fix that was not in 5.10.223 and 6.6.17, and is in 5.10.262, 6.1.192, 6.6.87 and 6.12.117,
as far as seen."""


@dataclass(frozen=True)
class Seen:
    """Something that a release does and an earlier one did not; `sentence` says what.

    `since` is the release that made it, or in which it was first seen; `after` the last one known to be without it: of
    the releases between, nobody has looked up whether they have it. Where the commit was looked up, `after` is `since`.
    """

    sentence: str
    since: Release
    after: Release

    def unchecked(self, release: Release) -> bool:
        """Returns whether nobody knows if the release has it."""
        return self.after < release < self.since


@dataclass(frozen=True)
class Change(Seen):
    """A change of the rules, which `apply` makes.

    `stable` are older series that got it as a fix: which of their releases have it. A function whose change may come
    that way asks `window` what to put into the rules.
    """

    apply: Callable[[Upstream], Upstream]
    commit: str
    stable: Mapping[Release, Backport] = field(hash=False)

    def concerns(self, release: Release) -> bool:
        """Returns whether a release has it, or some of its stable releases may."""
        return release >= self.since or release in self.stable or (bool(self.stable) and release > self.after)

    def unchecked(self, release: Release) -> bool:
        """Returns whether nobody knows if the release has it. A change that stable releases have, too, is in the rules
        of every release that may have it, with the `window` in which nothing is certain."""
        return super().unchecked(release) and not self.stable

    def window(self, release: Release) -> Backport:
        """Returns which stable releases of a series have it."""
        if release >= self.since:
            return ALWAYS
        return self.stable.get(release, UNCERTAIN)


def change(
    since: Release,
    commit: str = "",
    *,
    after: Release | None = None,
    stable: Mapping[Release, Backport] | None = None,
) -> Callable[[Callable[[Upstream], Upstream]], Change]:
    """Returns a decorator that makes a change of a function, which returns the rules with the change; its docstring
    says what changed.

    `commit` is `HASH, SUBJECT` of the commit that made it in exactly `since`; without one, `after` is the last release
    known to be without it.
    """

    def made(function: Callable[[Upstream], Upstream]) -> Change:
        sentence = " ".join((function.__doc__ or "").split())
        return Change(sentence, since, since if after is None else after, function, commit, stable or {})

    return made
