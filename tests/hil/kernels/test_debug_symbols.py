# SPDX-License-Identifier: MIT
"""Debug symbols of kernels, from a small package in an archive of our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil import directories
from hil.arch import Architecture
from hil.debian.apt import PackageGone
from hil.debian.package import Package
from hil.errors import BenchError
from hil.kernels import debug_symbols as module
from hil.kernels import entry
from hil.kernels.debug_symbols import NoDebugSymbols, debug_symbols
from hil.kernels.kernel import Kernel
from tests.fakes import fake_kernel

from .test_vmlinux import ROWS, content_of, elf, written

IMAGE = "linux-image-6.1.0-56-cloud-arm64"
VERSION = "6.1.192-2"
PROVENANCE = {
    "source": "debian",
    "suite": "bookworm",
    "packages": [{"name": IMAGE, "version": VERSION}],
    "sha256": {"image": "0123456789abcdef" * 4},
}


class Archive:
    """One suite, with packages that are files of this host."""

    def __init__(self, debs: dict[Package, Path | None]) -> None:
        self.debs = debs
        self.downloads = 0

    def __call__(self, suite: str, arch: Architecture, *, notify: Callable[[str], None]) -> Archive:
        self.name = f"{suite}/{arch}"
        return self

    def __str__(self) -> str:
        return self.name

    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self.debs)

    def resolve(self, name: str) -> list[Package]:
        return [one for one in self.debs if one.name == name]

    def download(self, wanted: Package) -> Path:
        self.downloads += 1
        deb = self.debs[wanted]
        if deb is None:
            raise PackageGone(f"the mirror no longer has {wanted}", remedy="none")
        return deb

    def discard(self, wanted: Package) -> None:
        self.debs[wanted] = None


def package(version: str = VERSION) -> Package:
    return Package(f"{IMAGE}-dbg", version, "arm64", "pool/dbg.deb", 261_900_000, "ab", installed=1_754_691 << 10)


def built(folder: Path, where: str = "usr/lib/debug/boot/vmlinux-6.1.0-56-cloud-arm64", content: bytes = b"") -> Path:
    """A package with a vmlinux and, behind it, something else."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: me\nDescription: x\n")
    for path, data in ((where, content or elf(*ROWS)), ("usr/lib/debug/lib/modules/6.1/veth.ko", b"types" * 1000)):
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_bytes(data)
    deb = folder / "dbg.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(deb)], check=True, capture_output=True)
    return deb


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb makes and unpacks packages")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return fake_kernel(provenance=PROVENANCE)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Archive]:
    def serving(debs: dict[Package, Path | None]) -> Archive:
        archive = Archive(debs)
        monkeypatch.setattr(module, "Apt", archive)
        return archive

    return serving


@pytest.mark.parametrize(
    "where",
    [
        "usr/lib/debug/boot/vmlinux-6.1.0-56-cloud-arm64",
        "usr/lib/debug/lib/modules/6.12.117+deb13-cloud-arm64/vmlinux",
    ],
)
def test_vmlinux_alone_is_kept_and_its_size_is_said_before(
    kernel: Kernel, serve: Callable[..., Archive], tmp_path: Path, where: str
) -> None:
    archive = serve({package(): built(tmp_path, where)})
    said: list[str] = []
    found = debug_symbols(kernel, said.append)
    assert said[0].startswith("debug symbols of debian-12/arm64: 261.9 MB to download; of 1796.8 MB unpacked only")
    assert content_of(found)[".debug_info"] == ROWS[3][3]
    assert ".rela.text" not in content_of(found)
    assert sorted(path.name for path in found.parent.iterdir()) == ["sha256sums", "vmlinux"]
    assert found.parent.name == "debian-12-arm64-0123456789abcdef"
    assert archive.debs == {package(): None}, "the package was removed"
    assert debug_symbols(kernel) == found and archive.downloads == 1, "the second time comes from the cache"


def test_a_damaged_one_is_fetched_again(kernel: Kernel, serve: Callable[..., Archive], tmp_path: Path) -> None:
    deb = built(tmp_path)
    serve({package(): deb})
    found = debug_symbols(kernel)
    found.chmod(0o644)
    found.write_bytes(b"damaged")
    serve({package(): deb})
    assert content_of(debug_symbols(kernel))[".debug_info"] == ROWS[3][3]


@pytest.mark.parametrize(
    ("debs", "what"),
    [
        ({}, f"there is no package {IMAGE}-dbg in Debian's bookworm/arm64"),
        ({package("6.1.180-1"): None}, f"bookworm/arm64 no longer has {IMAGE}-dbg {VERSION}, only 6.1.180-1"),
        ({package(): None}, f"the mirror no longer has {IMAGE}-dbg {VERSION}"),
    ],
)
def test_a_version_that_is_gone_is_told_with_what_to_do(
    kernel: Kernel, serve: Callable[..., Archive], debs: dict[Package, Path | None], what: str
) -> None:
    serve(debs)
    with pytest.raises(NoDebugSymbols) as caught:
        debug_symbols(kernel)
    assert what in caught.value.what
    for word in ("hil kernels list debian-12 --all", "hil kernels import --vmlinux"):
        assert word in caught.value.remedy
    assert not list((directories.cache() / "debug-symbols").glob("debian-*"))


@pytest.mark.parametrize(
    ("content", "what"),
    [(elf(*ROWS[:3]), "has no debug information"), (b"", "cannot unpack ./usr/lib/debug/*/vmlinux*")],
)
def test_a_package_without_debug_information_is_refused(
    kernel: Kernel, serve: Callable[..., Archive], tmp_path: Path, content: bytes, what: str
) -> None:
    serve({package(): built(tmp_path, "usr/lib/debug/boot/" + ("vmlinux-6.1" if content else "System.map"), content)})
    with pytest.raises(BenchError) as caught:
        debug_symbols(kernel)
    assert what in caught.value.what
    assert not list((directories.cache() / "debug-symbols").glob("debian-*"))


def test_a_kernel_of_the_users_own_brings_its_vmlinux(kernel: Kernel, tmp_path: Path) -> None:
    mine: dict[str, Any] = {"provenance": {"source": "imported", "sha256": PROVENANCE["sha256"]}}
    good = written(tmp_path / "good", *ROWS)
    assert debug_symbols(fake_kernel("mine", vmlinux=good, **mine)) == good
    with pytest.raises(NoDebugSymbols, match="of mine/arm64 has no debug information; build it with CONFIG_DEBUG_"):
        debug_symbols(fake_kernel("mine", vmlinux=written(tmp_path / "bad", *ROWS[:3]), **mine))
    with pytest.raises(NoDebugSymbols, match="given without a vmlinux; import it with `hil kernels import --vmlinux`"):
        debug_symbols(fake_kernel("mine", **mine))


def test_which_ones_the_cached_kernels_need(kernel: Kernel, tmp_path: Path) -> None:
    del kernel
    folder = tmp_path / "cache/hil/kernels/debian-12/arm64"
    folder.mkdir(parents=True)
    assert list(module.needed()) == [], "an entry that is damaged has none"
    metadata = {"name": "debian-12", "provenance": PROVENANCE}
    (folder / entry.METADATA).write_text(json.dumps({**metadata, "digest": entry._digest(metadata)}))
    assert list(module.needed()) == ["debian-12-arm64-0123456789abcdef"]


def test_its_last_use_is_noted(kernel: Kernel, serve: Callable[..., Archive], tmp_path: Path) -> None:
    serve({package(): built(tmp_path)})
    folder = debug_symbols(kernel).parent
    os.utime(folder, (0, 0))
    debug_symbols(kernel)
    assert folder.stat().st_mtime > 0
