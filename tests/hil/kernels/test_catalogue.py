# SPDX-License-Identifier: MIT
"""The catalogue as shipped, and the rules of eras."""

import re
from dataclasses import replace

import pytest

from hil.arch import architecture, architectures
from hil.errors import UserError
from hil.kernels import catalogue, store
from hil.kernels.catalogue import Debian, Tarball


def test_every_entry_is_of_a_series_of_its_era() -> None:
    for known in catalogue.entries().values():
        assert known.series in ("", known.era)


def test_the_reference_generation_is_named_by_hash() -> None:
    source = catalogue.entry("linux-4.1").source
    assert isinstance(source, Tarball)
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)


def test_debians_flavour_by_architecture() -> None:
    source = catalogue.entry("debian-12").source
    assert isinstance(source, Debian)
    names = [source.metapackage(architecture(arch)) for arch in ("x86_64", "arm64")]
    assert names == ["linux-image-cloud-amd64", "linux-image-cloud-arm64"]


def test_what_an_architecture_is_without_is_of_the_catalogue_and_has_a_reason() -> None:
    for arch in architectures().values():
        assert arch.without.keys() < catalogue.entries().keys(), "and one kernel there is"
        assert all(arch.without.values())


def test_a_kernel_there_is_not_for_an_architecture() -> None:
    new = replace(architecture("arm64"), name="new", without={"debian-12": "nobody built it"})
    catalogue.check_exists("debian-13", new)
    assert new.lacks("debian-12") == new.lacks("debian-12@6.1.170") == "nobody built it"
    assert not new.lacks("debian-13") and not new.lacks("mine")
    for ask in (catalogue.check_exists, store.get, store.fetch):
        with pytest.raises(UserError, match="there is no debian-12 for new: nobody built it; choose x86_64 or arm64"):
            ask("debian-12", new)


# Names from the indexes of bullseye, bookworm, trixie and sid.
@pytest.mark.parametrize(
    ("name", "package", "fits"),
    [
        ("debian-11", "linux-image-5.10.0-46-cloud-arm64", True),
        ("debian-11", "linux-image-5.10.0-46-cloud-arm64-dbg", False),
        ("debian-11", "linux-image-5.10.0-46-cloud-arm64-unsigned", False),
        ("debian-11", "linux-image-5.10.0-46-cloud-amd64", False),
        ("debian-11", "linux-image-6.1.0-0.deb11.50-cloud-arm64", False),
        ("debian-12", "linux-image-6.1.0-56-cloud-arm64", True),
        ("debian-12", "linux-image-6.1.0-56-arm64", False),
        ("debian-12", "linux-image-6.1.0-56-rt-cloud-arm64", False),
        ("debian-12", "linux-image-6.12.117+deb12-cloud-arm64", False),
        ("debian-13", "linux-image-6.12.117+deb13-cloud-arm64", True),
        ("debian-13", "linux-image-6.12-cloud-arm64", False),
        ("debian-sid", "linux-image-7.2.13+deb14-cloud-arm64", True),
        ("debian-sid", "linux-image-cloud-arm64", False),
    ],
)
def test_which_packages_are_the_image(name: str, package: str, fits: bool) -> None:
    known = catalogue.entry(name)
    assert isinstance(known.source, Debian)
    pattern = known.source.images(architecture("arm64"), known.series)
    assert bool(pattern.fullmatch(package)) is fits


@pytest.mark.parametrize(
    ("version", "era"),
    [("4.1.52", "4.1"), ("4.1", "4.1"), ("5.4.0-rc1", "5.4"), ("5.10.0-46-cloud-arm64", "5.10"), ("6.6.3", "6.6"),
     ("6.12.117+deb13", "6.12"), ("7.2.13", "7.2")],
)  # fmt: skip
def test_a_kernel_is_judged_by_the_rules_of_its_release(version: str, era: str) -> None:
    assert catalogue.era_of(version) == era


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ("4.0.9", r"4\.0\.9 is older than 4\.1, .*--as 4\.1"),
        ("7.3.1", r"7\.3\.1 is newer than 7\.2, .*--as 7\.2"),
        ("10.0", r"--as 7\.2"),
    ],
)
def test_the_error_for_an_unknown_release_names_the_nearest(version: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        catalogue.era_of(version)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'debian-10'.*debian-11.*hil kernels import"):
        catalogue.entry("debian-10")


def test_a_point_release_is_of_its_row_and_judged_by_its_own_release() -> None:
    known = catalogue.entry("debian-12@6.12.43-1")
    assert (known.name, known.version, known.era) == ("debian-12@6.12.43-1", "6.12.43-1", "6.12")
    assert known.source == catalogue.entry("debian-12").source
    assert catalogue.entry("debian-13@6.16.3").era == "6.16"


def test_a_point_release_behind_the_last_with_rules_is_judged_by_those() -> None:
    assert catalogue.entry("debian-13@7.2.13").era == "7.2"
    assert catalogue.entry("debian-13@7.3.4").era == catalogue.eras()[-1]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("linux-4.1@4.1.50", r"linux-4\.1 is one kernel"),
        ("debian-12@", "names no version"),
        ("debian-12@six", "names no version"),
        ("debian-12@6.1", "names no version"),
        ("debian-10@4.19.1", "there is no kernel 'debian-10@4"),
    ],
)
def test_what_cannot_be_a_point_release(name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        catalogue.entry(name)
