# SPDX-License-Identifier: MIT
"""Root file systems as disks, as far as this host can tell."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.errors import UserError
from hil.guestroot import cpio
from hil.rootfs import choice, debian, image

ARCH = architecture("x86_64")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.directories.cache", lambda: tmp_path / "cache")


def content(disk: Path, path: str) -> str:
    return subprocess.run(["debugfs", "-R", f"cat {path}", disk], capture_output=True, text=True, check=True).stdout


def tree(folder: Path) -> Path:
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/name").write_text("mine\n")
    (folder / "sh").symlink_to("etc/name")
    return folder


def test_a_folder_is_a_disk_that_goes_away(tmp_path: Path) -> None:
    with choice.chosen(str(tree(tmp_path / "root")), ARCH) as disk:
        assert content(disk, "/etc/name") == "mine\n"
        assert subprocess.run(["e2fsck", "-f", "-n", disk], capture_output=True).returncode == 0
    assert not disk.exists()


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_an_archive_is_kept_by_its_contents(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / f"root.{kind}"
    with tarfile.open(archive, "w:gz" if kind.endswith("gz") else "w") as tar:
        tar.add(tree(tmp_path / "root"), ".")
    with choice.chosen(str(archive), ARCH) as disk:
        assert content(disk, "/etc/name") == "mine\n"
    with choice.chosen(str(archive), ARCH) as again:
        assert again == disk
    disk.chmod(0o644)
    disk.write_bytes(b"damaged")
    with choice.chosen(str(archive), ARCH) as mended:
        assert content(mended, "/etc/name") == "mine\n"


def test_a_cpio_archive(tmp_path: Path) -> None:
    """As the bench writes them, and as Linux reads them."""
    archive = tmp_path / "root.cpio"
    archive.write_bytes(cpio.archive({"etc/name": cpio.regular(b"mine\n"), "sh": cpio.symlink("etc/name")}))
    with choice.chosen(str(archive), ARCH) as disk:
        assert content(disk, "/etc/name") == "mine\n"


@pytest.mark.parametrize("length", [5, 30, 80])
def test_an_archive_that_is_cut_short_is_told(tmp_path: Path, length: int) -> None:
    archive = tmp_path / "root.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(__file__, "name")
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(UserError, match=r"root\.tar\.gz"), choice.chosen(str(archive), ARCH):
        pass


def test_what_is_no_root_file_system(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("none")
    for named, said in (
        ("debian-99", "no root file system debian-99; name a folder, a tar or cpio archive, or one of debian-11"),
        ("linux-4.1", "no root file system linux-4.1"),
        (str(tmp_path / "nowhere"), "there is no root file system"),
        (str(tmp_path / "text"), "neither a tar nor a cpio archive"),
    ):
        with pytest.raises(UserError, match=said), choice.chosen(named, ARCH):
            pass
    with pytest.raises(UserError, match="--packages are for Debian's roots"), choice.chosen(str(tmp_path), ARCH, ["x"]):
        pass


def test_folders_that_debian_has_below_usr(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path in ("bin/dash", "usr/bin/env", "lib/x/one", "usr/lib/x/two"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    debian.complete(root)
    assert (root / "bin").is_symlink()
    assert (root / "bin/sh").read_text() == "bin/dash"
    assert {path.name for path in (root / "lib/x").iterdir()} == {"one", "two"}
    image.make(root, tmp_path / "disk")
    assert "root:x:0:0" in content(tmp_path / "disk", "/etc/passwd")
