# SPDX-License-Identifier: MIT
"""Indexes as apt-cache(8) shows them."""

import shutil

import pytest

from hil.debian import package
from hil.debian.package import Dependency, Package

INDEX = """\
Package: linux-image-cloud-arm64
Version: 5.10.262-1
Architecture: arm64
Depends: linux-base-cloud-arm64 (= 5.10.262-1), kmod:any | libkmod2, linux-image-5.10.0-46-cloud-arm64 (= 5.10.262-1)
Description: Linux for arm64 cloud
 continued: on a second line
Filename: pool/updates/linux-image-cloud-arm64_5.10.262-1_arm64.deb
Installed-Size: 13
Size: 1460
SHA256: 80c6

Package: linux-image-cloud-arm64
Version: 5.10.223-1
Architecture: arm64
Pre-Depends: dpkg (>= 1.17)
Filename: pool/main/linux-image-cloud-arm64_5.10.223-1_arm64.deb
Size: 1452
SHA256: 6061

Package: linux-image-cloud-arm64
Version: 5.10.223-1
Architecture: arm64
Filename: pool/again/linux-image-cloud-arm64_5.10.223-1_arm64.deb
Size: 1452
SHA256: 6061

Package: installed-only
Version: 1
Architecture: all
"""


def of(name: str, version: str) -> Package:
    return Package(name, version, "arm64", f"pool/{name}.deb", 1, "0")


def test_fields_and_first_alternatives() -> None:
    newest = package.parse(INDEX)[0]
    assert (newest.name, newest.version, newest.size, newest.sha256) == (
        "linux-image-cloud-arm64",
        "5.10.262-1",
        1460,
        "80c6",
    )
    assert [one.installed for one in package.parse(INDEX)] == [13 << 10, 0], "in bytes, where the index has it"
    assert newest.depends == (
        Dependency("linux-base-cloud-arm64", "=", "5.10.262-1"),
        Dependency("kmod", "", ""),
        Dependency("linux-image-5.10.0-46-cloud-arm64", "=", "5.10.262-1"),
    )


def test_each_version_once_and_only_what_the_archive_has() -> None:
    assert [item.version for item in package.parse(INDEX)] == ["5.10.262-1", "5.10.223-1"]


def test_pre_depends_count() -> None:
    assert package.parse(INDEX)[1].depends == (Dependency("dpkg", ">=", "1.17"),)


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("6.1.192-2", "6.1.192"), ("1:1.35.0-4+deb12u1+b1", "1.35.0"), ("6.12.117-1~deb12u1", "6.12.117"), ("12", "12")],
)
def test_upstream_version(version: str, upstream: str) -> None:
    assert of("x", version).upstream == upstream


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg compares versions")
def test_newest_first_as_dpkg_orders() -> None:
    items = [of("a", "5.10.9-1"), of("b", "5.10.223-1"), of("c", "5.10.223-1~rc1"), of("d", "1:1.0-1")]
    assert [item.name for item in package.newest_first(items)] == ["d", "b", "c", "a"]
