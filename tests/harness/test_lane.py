# SPDX-License-Identifier: MIT
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.lane import Engine, Lane, all_lanes, compact, select
from harness.run.choice import known_lanes
from hil.arch import architecture, architectures, architectures_with
from hil.errors import UserError

KNOWN = all_lanes([("linux-4.1", "x86_64"), ("linux-4.1", "arm64"), ("debian-12", "x86_64"), ("debian-12", "arm64")])


def test_a_lane_is_written_in_three_parts() -> None:
    assert str(Lane("debian-12", "arm64", Engine.JIT)) == "debian-12/arm64/jit"


def test_parts_left_out_mean_any() -> None:
    assert [str(lane) for lane in select(["debian-12"], KNOWN)] == [
        "debian-12/x86_64/interp",
        "debian-12/x86_64/jit",
        "debian-12/arm64/interp",
        "debian-12/arm64/jit",
    ]


def test_wildcards_and_several_patterns_keep_the_order_of_the_catalogue() -> None:
    chosen = select(["debian-*/arm64/jit", "linux-4.1/*/interp", "debian-12/arm64"], KNOWN)
    assert [str(lane) for lane in chosen] == [
        "linux-4.1/x86_64/interp",
        "linux-4.1/arm64/interp",
        "debian-12/arm64/interp",
        "debian-12/arm64/jit",
    ]


@pytest.mark.parametrize("pattern", ["debian-21", "debian-12/mips", "debian-12/arm64/compiled", "", "a/b/c/d"])
def test_a_pattern_that_matches_nothing_is_the_users_mistake(pattern: str) -> None:
    with pytest.raises(UserError) as caught:
        select(["debian-12", pattern], KNOWN)
    assert repr(pattern) in str(caught.value) and "KERNEL/ARCH/ENGINE" in str(caught.value)


def test_a_lane_that_a_kernel_does_not_have_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    new = replace(architecture("arm64"), name="new", without={"debian-12": "nobody built it"})
    monkeypatch.setitem(architectures(), "new", new)
    old = {arch.name for arch in architectures_with("debian-12")}
    assert {lane.arch for lane in select(["debian-12"], known_lanes())} == old
    assert "debian-13" in {lane.kernel for lane in select(["*/new"], known_lanes())}
    for pattern in ("debian-12/new", "debian-12/new/jit"):
        with pytest.raises(UserError, match=f"unknown lane '{pattern}': nobody built it; see `hil kernels list`"):
            select([pattern], known_lanes())


@given(st.lists(st.sampled_from(known_lanes()), min_size=1, unique=True))
def test_compact_patterns_select_the_same_lanes(chosen: list[Lane]) -> None:
    assert set(select(compact(map(str, chosen)), known_lanes())) == set(chosen)


def test_compact_patterns_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    new = replace(architecture("arm64"), name="new", without={"a": "it has none", "b": "nor it"})
    monkeypatch.setitem(architectures(), "new", new)
    old = [arch for arch in architectures() if arch != "new"]
    known = all_lanes(product(("a", "b"), old))
    assert compact(map(str, known)) == ("a", "b")
    rest = [f"a/{arch}" for arch in old[1:]]
    assert compact(map(str, known[1:])) == (f"a/{old[0]}/jit", *rest, "b")
