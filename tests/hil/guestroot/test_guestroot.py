# SPDX-License-Identifier: MIT
"""Building a guest root from fakes of its userland and its agent."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from hil import directories
from hil.arch import architecture
from hil.guestroot import guestroot, keys
from hil.guestroot.userland import Userland
from hil.kernels.kernel import Kernel

from .test_cpio import records

CONFIG = "CONFIG_VIRTIO_PCI=y\nCONFIG_VIRTIO_NET=y\n"
PACKAGES = {"busybox-static": {"version": "1", "sha256": "00"}}


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs = tmp_path / "programs"
    (programs / "bin").mkdir(parents=True)
    (programs / "bin/busybox").write_bytes(b"busybox")
    (tmp_path / "agent").write_bytes(b"agent")
    monkeypatch.setattr(guestroot, "userland", lambda *_, **__: Userland(programs, PACKAGES))
    monkeypatch.setattr(guestroot, "agent_binary", lambda _: tmp_path / "agent")
    (tmp_path / "config").write_text(CONFIG)
    return Kernel(
        name="test", arch=architecture("arm64"), folder=tmp_path, image=tmp_path / "image", config=tmp_path / "config",
        modules=None, vmlinux=None, system_map=None, release="4.1.52", version="4.1.52", era="4.1", provenance={},
    )  # fmt: skip


def test_the_same_inputs_give_the_same_file(kernel: Kernel) -> None:
    first = guestroot.build(kernel)
    first.initramfs.unlink()
    assert guestroot.build(kernel) == first


def test_another_agent_gives_another_file(kernel: Kernel, tmp_path: Path) -> None:
    first = guestroot.build(kernel)
    (tmp_path / "agent").write_bytes(b"a newer agent")
    second = guestroot.build(kernel)
    assert second.initramfs != first.initramfs
    assert first.initramfs.exists(), "a machine may be about to start with it"


def test_what_is_in_it(kernel: Kernel) -> None:
    root = guestroot.build(kernel)
    files = {name: (stat.S_IMODE(fields[1]), data) for name, fields, data in records(root.initramfs.read_bytes())}
    assert files["bin/hil-agent"] == (0o755, b"agent")
    assert files["bin/busybox"] == (0o755, b"busybox")
    assert files["etc/dropbear/host_key"] == (0o600, keys.host().dropbear())
    assert files["root/.ssh/authorized_keys"] == (0o644, f"{keys.client().public_line}\n".encode())
    assert files["etc/drivers"][1] == b"\n", "all of them are built in"
    assert root.host_key == keys.host().public_line
    assert root.key == keys.client().path
    assert root.contents.packages == PACKAGES


def test_the_file_is_read_only(kernel: Kernel) -> None:
    assert stat.S_IMODE(guestroot.build(kernel).initramfs.stat().st_mode) == 0o444


def test_a_cut_file_is_written_again(kernel: Kernel) -> None:
    root = guestroot.build(kernel)
    root.initramfs.chmod(0o644)
    root.initramfs.write_bytes(b"cut")
    assert guestroot.build(kernel).initramfs.stat().st_size > 3


def test_what_was_not_used_for_long_goes(kernel: Kernel, tmp_path: Path) -> None:
    old = guestroot.build(kernel).initramfs
    long_ago = time.time() - 400 * 86400
    os.utime(old, (long_ago, long_ago))
    (tmp_path / "agent").write_bytes(b"a newer agent")
    guestroot.build(kernel)
    assert not old.exists()


def test_nothing_half_written_stays(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt):
        guestroot.bare(kernel)
    assert list((directories.cache() / "guestroots").iterdir()) == []


def test_bare_holds_next_to_nothing(kernel: Kernel) -> None:
    names = [name for name, _, _ in records(guestroot.bare(kernel).read_bytes())]
    assert names == [".", "bin", "bin/busybox", "dev", "dev/console", "dev/null", "init", "TRAILER!!!"]


def test_a_file_that_differs_by_a_bit_is_written_again(kernel: Kernel) -> None:
    path = guestroot.build(kernel).initramfs
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert guestroot.build(kernel).initramfs == path
    assert path.read_bytes() == whole


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_cache_that_takes_nothing_has_guest_roots_elsewhere(
    number: int, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, dir: Path, **options: object) -> object:
        if dir.is_relative_to(directories.cache()):
            raise OSError(number, os.strerror(number), str(dir))
        return temporary_file(*_, dir=dir, **options)  # type: ignore[call-overload]

    temporary_file = guestroot.tempfile.NamedTemporaryFile
    monkeypatch.setattr(guestroot.tempfile, "NamedTemporaryFile", refuse)
    path = guestroot.build(kernel).initramfs
    assert path.is_relative_to(directories.state())
    assert guestroot.build(kernel).initramfs == path


def test_a_file_that_is_there_serves_though_its_time_cannot_be_set(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = guestroot.build(kernel).initramfs

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", refuse)
    assert guestroot.build(kernel).initramfs == path


def test_the_content_of_a_file_of_every_guest(kernel: Kernel) -> None:
    guestroot._programs.cache_clear()
    try:
        assert guestroot.content(kernel.arch, "/bin/hil-agent") == b"agent"
        assert guestroot.content(kernel.arch, "/bin/../bin/busybox") == b"busybox"
        assert guestroot.content(kernel.arch, "/bin/sh") == b"busybox", "which is a link"
        assert guestroot.content(kernel.arch, "/bin") is guestroot.content(kernel.arch, "/nowhere") is None
    finally:
        guestroot._programs.cache_clear()
