# SPDX-License-Identifier: MIT
"""Configurations: their architecture and version."""

from pathlib import Path

import pytest

from hil.errors import UserError
from hil.kernels import configuration

from . import conftest


def test_version_and_architecture(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(conftest.configuration("arm64", "6.1.192"))
    assert configuration.read(tmp_path / "config") == configuration.Configuration("6.1.192", "arm64")


def test_a_header_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("CONFIG_X86_64=y\n")
    assert configuration.read(tmp_path / "config") == configuration.Configuration("", "x86_64")


@pytest.mark.parametrize("text", ["", "\x7fELF", "# CONFIG_X86_64=y\n# CONFIG_ARM64 is not set\n", "CONFIG_ARM=y\n"])
def test_what_is_no_configuration_we_know(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(UserError, match="no kernel configuration"):
        configuration.read(tmp_path / "config")


def test_options_are_found_between_bytes_of_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(
        b'CONFIG_LOCALVERSION="-b\xfcro"\nCONFIG_BPF=y\nCONFIG_VETH=m\n# CONFIG_X is not set\n'
    )
    assert configuration.options_of(tmp_path / "config") == {
        "CONFIG_LOCALVERSION": '"-b\ufffdro"',
        "CONFIG_BPF": "y",
        "CONFIG_VETH": "m",
    }
