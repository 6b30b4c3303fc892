# SPDX-License-Identifier: MIT
"""The private apt with the host's real mirror."""

from pathlib import Path

import pytest

from hil.arch import architecture
from hil.debian import apt
from hil.debian.apt import Apt
from hil.errors import BenchError

pytestmark = pytest.mark.guest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_foreign_package(tmp_path: Path) -> None:
    archive = Apt("bookworm", architecture("arm64"))
    apt.unpack(archive.download(archive.resolve("dropbear-bin")[0]), tmp_path / "tree")
    binary = (tmp_path / "tree/usr/sbin/dropbear").read_bytes()
    assert binary[18:20] == (183).to_bytes(2, "little"), "e_machine is EM_AARCH64"


def test_lists_not_signed_by_debians_keys_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = tmp_path / "nobody.gpg"
    keyring.touch()
    monkeypatch.setattr(apt, "KEYRING", keyring)
    with pytest.raises(BenchError, match="cannot fetch the package lists") as caught:
        Apt("bookworm", architecture("arm64")).resolve("busybox")
    assert "public key is not available" in caught.value.details
