# SPDX-License-Identifier: MIT
"""Which lanes and scripts a run is for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.lane import Engine, Lane
from harness.run.choice import check_chosen, choose
from hil.errors import UserError

OLD, NEW = Lane("linux-4.1", "arm64", Engine.INTERP), Lane("debian-13", "arm64", Engine.JIT)
THERE = {"linux-4.1": {"old-1": 1, "any-1": 2}, "debian-13": {"any-1": 3, "ring-1": 4, "ring-2": 5}}


def there(kernel: str, arch: str) -> Mapping[str, int]:
    assert arch == "arm64"
    return THERE[kernel]


@pytest.mark.parametrize("patterns", ["ring-*,old-1", "ring-*, old-1"])
def test_patterns_are_separated_by_commas_whatever_blanks_are_around_them(patterns: str) -> None:
    chosen = choose((OLD, NEW), there, patterns, "clause", list)
    assert dict(chosen.of) == {("linux-4.1", "arm64"): (1,), ("debian-13", "arm64"): (4, 5)}
    assert chosen.lanes == (OLD, NEW)


def test_a_lane_without_any_is_left_out_and_named() -> None:
    chosen = choose((OLD, NEW), there, "ring-*", "clause", list)
    assert (chosen.lanes, chosen.without) == ((NEW,), (OLD,))


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        ("ring-3", r"'ring-3'; .* did you mean 'ring-2'\?"),
        ("any-1,ring-3", r"'ring-3'; .* did you mean 'ring-2'\?"),
        ("any-1,", "''; .* old-1, any-1, ring-1"),
        ("nothing-like-it", "'nothing-like-it'; .* old-1, any-1, ring-1"),
    ],
)
def test_a_pattern_that_matches_on_no_lane_is_wrong_usage(patterns: str, told: str) -> None:
    with pytest.raises(UserError, match=f"no clause of the chosen lanes matches {told}"):
        choose((OLD, NEW), there, patterns, "clause", list)


def test_a_required_kernel_must_have_something_to_run() -> None:
    chosen = choose((OLD, NEW), there, "ring-*", "clause", list)
    check_chosen(["debian-13"], chosen)
    with pytest.raises(UserError, match=r"--require linux-4\.1: none of the chosen scripts is for linux-4\.1/arm64/"):
        check_chosen(["linux-4.1"], chosen)
    with pytest.raises(UserError, match="--require debian-12: no lane of it was chosen; add it to --lanes"):
        check_chosen(["debian-12"], chosen)
