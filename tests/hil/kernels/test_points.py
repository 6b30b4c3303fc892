# SPDX-License-Identifier: MIT
"""Kernels by version: their list, their names, and the error for a missing one."""

import pytest

from hil.arch import architecture
from hil.errors import BenchError, UserError
from hil.kernels import catalogue
from hil.kernels.catalogue import Debian
from hil.kernels.points import Point, find, order, points

from .archive import debian_archive

__all__ = ["debian_archive"]
ARM64 = architecture("arm64")
Suites = dict[str, list[tuple[str, str]] | None]


def found(name: str, messages: list[str] | None = None) -> Point:
    known = catalogue.entry(name)
    assert isinstance(known.source, Debian)
    return find(known, known.source, ARM64, (messages if messages is not None else []).append)


def test_every_version_of_every_suite_oldest_first_by_the_shortest_name(debian_archive: Suites) -> None:
    there = points(catalogue.entry("debian-12"), ARM64)
    assert [(one.name, one.image.version, one.suites) for one in there] == [
        ("debian-12@6.1.170-1", "6.1.170-1", ("bookworm",)),
        ("debian-12@6.1.170", "6.1.170-3", ("bookworm",)),
        ("debian-12@6.1.192", "6.1.192-2", ("bookworm",)),
        ("debian-12@6.12.43", "6.12.43-1~bpo12+1", ("bookworm-backports",)),
        ("debian-12@6.12.100-1~bpo12+1", "6.12.100-1~bpo12+1", ("bookworm-backports",)),
        ("debian-12@6.12.100", "6.12.100-1~deb12u1", ("bookworm",)),
    ]


@pytest.mark.parametrize("kernel", ["debian-11", "debian-12", "debian-13", "debian-sid"])
def test_each_is_found_by_the_name_it_is_listed_under(debian_archive: Suites, kernel: str) -> None:
    for one in points(catalogue.entry(kernel), ARM64):
        assert found(one.name).image == one.image
        assert one.kernel == kernel


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("debian-12@6.1.170", "6.1.170-3"),
        ("debian-12@6.1.170-1", "6.1.170-1"),
        ("debian-12@6.12.43-1", "6.12.43-1~bpo12+1"),
        ("debian-12@6.12.100-1~bpo12+1", "6.12.100-1~bpo12+1"),
        ("debian-11@6.1.172", "6.1.172-1~deb11u1"),
    ],
)
def test_a_version_with_or_without_its_revision(debian_archive: Suites, name: str, version: str) -> None:
    assert found(name).image.version == version


def test_the_error_for_a_missing_version_names_the_nearest(debian_archive: Suites) -> None:
    with pytest.raises(UserError, match=r"no Linux 6\.1\.180 for debian-12/arm64") as caught:
        found("debian-12@6.1.180")
    assert "debian-12@6.1.170 and debian-12@6.1.192; hil kernels list debian-12 --all" in caught.value.remedy
    with pytest.raises(UserError, match=r"debian-12@6\.12\.100;"):
        found("debian-12@6.13.1")


def test_a_suite_that_cannot_be_asked_costs_only_what_it_has(debian_archive: Suites) -> None:
    debian_archive["bookworm-backports"] = None
    messages: list[str] = []
    names = [one.name for one in points(catalogue.entry("debian-12"), ARM64, messages.append)]
    assert names[-1] == "debian-12@6.12.100"
    assert "bookworm-backports" in messages[0]
    assert found("debian-12@6.1.170").image.version == "6.1.170-3"
    with pytest.raises(BenchError, match="cannot fetch") as caught:
        found("debian-12@6.12.43")
    assert not isinstance(caught.value, UserError), "nobody knows whether it has that version"
    debian_archive["bookworm"] = None
    with pytest.raises(BenchError, match="lists of bookworm"):
        points(catalogue.entry("debian-12"), ARM64)


def test_versions_are_ordered_as_numbers_and_revisions_within_them() -> None:
    versions = ["6.1.9-1", "6.1.10-1", "6.1.10-2", "6.1.10-10", "6.12.3-1~bpo12+1", "6.12.3-1~deb12u1", "7.0.1-1"]
    assert sorted({*versions}, key=order) == versions


def test_only_kernels_of_debians_archive_have_point_releases() -> None:
    with pytest.raises(UserError, match="one version only"):
        points(catalogue.entry("linux-4.1"), ARM64)
