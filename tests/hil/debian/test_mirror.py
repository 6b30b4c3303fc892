# SPDX-License-Identifier: MIT
"""The host's mirror, by the URIs that its apt would fetch."""

import pytest

from hil.debian import mirror
from hil.debian.mirror import Mirror
from hil.errors import BenchError

# A line of `apt-get update --print-uris`, apt 2.6, for one index.
_LINE = "'{base}/dists/{suite}/{component}/binary-amd64/Packages.xz' some_file 0 \n"


def listing(*rows: tuple[str, str, str]) -> str:
    return "".join(_LINE.format(base=base, suite=suite, component=component) for base, suite, component in rows)


def test_base_and_security_of_an_ordinary_host() -> None:
    text = listing(
        ("http://mirror.test/debian", "bookworm", "main"),
        ("http://mirror.test/debian", "bookworm-updates", "main"),
        ("http://safe.test/debian-security", "bookworm-security", "main"),
    )
    assert mirror.parse(text) == Mirror("http://mirror.test/debian", "http://safe.test/debian-security")


def test_a_third_party_with_debians_code_names_is_not_taken_for_debian() -> None:
    text = listing(
        ("https://runner.test/debian", "bookworm", "main"),
        ("https://docker.test/linux/debian", "bookworm", "stable"),
        ("http://mirror.test/debian", "bookworm", "main"),
        ("http://mirror.test/debian", "bookworm-updates", "main"),
    )
    assert mirror.parse(text).base == "http://mirror.test/debian"


def test_security_is_derived_when_the_host_has_none() -> None:
    text = listing(("file:/srv/debian", "sid", "main"))
    assert mirror.parse(text) == Mirror("file:/srv/debian", "file:/srv/debian-security")


def test_lists_of_mirrors_are_passed_through() -> None:
    text = listing(("mirror+file:/etc/apt/mirrors/debian.list", "trixie", "main"))
    assert mirror.parse(text).base == "mirror+file:/etc/apt/mirrors/debian.list"


@pytest.mark.parametrize(
    "text",
    [
        "",
        listing(("http://mirror.test/ubuntu", "noble", "main")),
        listing(("cdrom://Debian 12", "bookworm", "main")),
    ],
)
def test_the_error_for_a_host_without_debian_names_the_variable(text: str) -> None:
    with pytest.raises(BenchError, match="HIL_DEBIAN_MIRROR"):
        mirror.parse(text)


def test_the_environment_wins() -> None:
    found = mirror.find({"HIL_DEBIAN_MIRROR": "http://mine.test/debian/"})
    assert found == Mirror("http://mine.test/debian", "http://mine.test/debian-security")


def test_passwords_are_not_shown() -> None:
    assert mirror.without_password("https://me:secret@mirror.test:8080/debian") == "https://mirror.test:8080/debian"
    assert mirror.without_password("file:/srv/debian") == "file:/srv/debian"
