# SPDX-License-Identifier: MIT
"""Lanes of point releases: there when they are asked for, and for nobody else."""

from pathlib import Path

import pytest

from harness.lane import listed, select
from harness.run.choice import known_lanes
from hil.errors import UserError
from tests.hil.kernels.archive import debian_archive

__all__ = ["debian_archive"]


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path: Path, debian_archive: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "hil/kernels"


def chosen(text: str) -> list[str]:
    return [str(lane) for lane in select(listed(text), known_lanes(listed(text)))]


def test_one_that_is_named() -> None:
    assert chosen("debian-12@6.1.170/arm64") == ["debian-12@6.1.170/arm64/interp", "debian-12@6.1.170/arm64/jit"]
    assert chosen("debian-12@6.1.170/x86_64/jit") == ["debian-12@6.1.170/x86_64/jit"]
    assert len(chosen("debian-12@6.1.170")) == 4


def test_wildcards_take_them_only_where_a_version_is_asked_for() -> None:
    assert not [lane for lane in chosen("debian-*") + chosen("*") if "@" in lane]
    assert chosen("debian-12@6.12*/arm64/jit") == [
        "debian-12@6.12.43/arm64/jit",
        "debian-12@6.12.100-1~bpo12+1/arm64/jit",
        "debian-12@6.12.100/arm64/jit",
    ]
    assert len(chosen("debian-*@*/x86_64/interp")) == 11


def test_another_pattern_adds_nothing_to_one_that_was_asked_for() -> None:
    lanes = chosen("*/*/jit,debian-12@6.1.170/arm64/interp")
    assert [lane for lane in lanes if "@" in lane] == ["debian-12@6.1.170/arm64/interp"]


def test_one_at_hand_needs_no_archive(nothing_at_hand: Path) -> None:
    (nothing_at_hand / "debian-12@6.1.3/arm64").mkdir(parents=True)
    assert chosen("debian-12@6.1.3/arm64/jit") == ["debian-12@6.1.3/arm64/jit"]
    assert chosen("debian-12@6.1.3/*/jit") == ["debian-12@6.1.3/arm64/jit"], "the archive has it for neither"
    assert not [lane for lane in chosen("*") if "@" in lane]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("debian-12@6.1.180", "the nearest: debian-12@6.1.170"),
        ("debian-12@8*", "unknown lane"),
        ("debian-10@4.19.1", "unknown lane"),
        ("linux-4.1@4.1.50", "one kernel"),
        ("debian-12@6.1.170/sparc", "unknown lane"),
    ],
)
def test_what_there_is_not(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        chosen(text)
