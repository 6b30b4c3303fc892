# SPDX-License-Identifier: MIT
"""From an index to the parts of a kernel: the packages, and what happens when the mirror lacks one."""

import re
from pathlib import Path

import pytest

from hil import cache
from hil.arch import Architecture, architecture
from hil.debian import apt
from hil.debian.apt import PackageGone
from hil.debian.mirror import Mirror
from hil.debian.package import Dependency, Package
from hil.errors import BenchError, UserError
from hil.kernels import catalogue, debian, entry, points
from hil.kernels.catalogue import Debian
from hil.kernels.kernel import Kernel

from .conftest import arm64_image, configuration

ARM64 = architecture("arm64")


def package(name: str, version: str, *depends: str) -> Package:
    exact = tuple(Dependency(other, "=", version) for other in depends)
    return Package(name, version, "arm64", f"pool/{name}_{version}.deb", 1, "0", (*exact, Dependency("kmod", "", "")))


class Archive:
    """A replacement of `Apt`: an index, and the files that the mirror has, {file name in the .deb: content}."""

    mirror = Mirror("http://mirror.test/debian", "http://mirror.test/debian-security")
    uris = ("http://mirror.test/debian",)

    def __init__(self, folder: Path, index: list[Package], files: dict[tuple[str, str], dict[str, bytes]]) -> None:
        self.folder = folder
        self.index = index
        self.files = files
        self.tried: list[str] = []
        self.kept: set[Path] = set()
        self.refreshed = 0

    def __call__(self, suite: str, arch: Architecture, *, notify: object) -> "Archive":
        self.suite, self.arch = suite, arch
        return self

    def update(self, *, max_age: float) -> None:
        self.refreshed += 1

    def resolve(self, name: str) -> list[Package]:
        return [item for item in self.index if item.name == name]

    def matching(self, pattern: re.Pattern[str]) -> list[Package]:
        return [item for item in self.index if pattern.fullmatch(item.name)]

    def names(self) -> frozenset[str]:
        return frozenset(item.name for item in self.index)

    def download(self, wanted: Package) -> Path:
        self.tried.append(wanted.name)
        if (wanted.name, wanted.version) not in self.files:
            raise PackageGone(f"no longer {wanted}")
        path = self.folder / f"{wanted.name}={wanted.version}"
        self.kept.add(path)
        return path

    def discard(self, wanted: Package) -> None:
        self.kept.remove(self.folder / f"{wanted.name}={wanted.version}")

    def unpack(self, deb: Path, folder: Path) -> None:
        name, version = deb.name.split("=")
        for path, content in self.files[name, version].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def image_files(release: str, version: str) -> dict[str, bytes]:
    """The layout of image packages until 6.12; the System.map is the stub that Debian ships."""
    return {
        f"boot/vmlinuz-{release}": arm64_image(release),
        f"boot/config-{release}": configuration("arm64", version).encode(),
        f"boot/System.map-{release}": b"ffffffffffffffff B The real System.map is in the -dbg package\n",
        f"lib/modules/{release}/kernel/net/veth.ko": b"module",
        f"lib/modules/{release}/modules.order": b"kernel/net/veth.ko\n",
    }


class Filler:
    """Fills an entry from a given archive; `notices` are the messages to the user."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.notices: list[str] = []

    def __call__(self, name: str, archive: Archive) -> Kernel:
        known = catalogue.entry(name)
        assert isinstance(known.source, Debian)
        self.monkeypatch.setattr(debian, "Apt", archive)
        self.monkeypatch.setattr(points, "Apt", archive)
        self.monkeypatch.setattr(apt, "unpack", archive.unpack)
        with cache.replaced(self.folder) as new:
            debian.fill(new, known, known.source, ARM64, self.notices.append)
        return entry.read(self.folder, ARM64)


@pytest.fixture
def fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filler:
    (tmp_path / "entry").mkdir()
    return Filler(tmp_path / "entry", monkeypatch)


def test_the_metapackage_names_todays_image(fill: Filler, tmp_path: Path) -> None:
    release = "6.1.0-56-cloud-arm64"
    archive = Archive(
        tmp_path,
        [
            package("linux-image-cloud-arm64", "6.1.192-2", f"linux-image-{release}"),
            package("linux-image-cloud-arm64", "6.1.90-1", "linux-image-6.1.0-40-cloud-arm64"),
            package(f"linux-image-{release}", "6.1.192-2"),
        ],
        {(f"linux-image-{release}", "6.1.192-2"): image_files(release, "6.1.192")},
    )
    kernel = fill("debian-12", archive)
    assert archive.suite == "bookworm"
    assert (kernel.release, kernel.version, kernel.era) == (release, "6.1.192", "6.1")
    assert kernel.system_map is None, "the stub is no System.map"
    assert kernel.modules is not None
    assert (kernel.modules / "lib/modules" / release / "kernel/net/veth.ko").read_bytes() == b"module"
    assert kernel.provenance["packages"][0]["version"] == "6.1.192-2"
    assert kernel.provenance["notes"] == []
    assert not archive.kept, "packages are dropped once unpacked"
    assert {path.name for path in kernel.folder.iterdir()} == {
        "image", "config", "modules", "metadata.json", "sha256sums",
    }  # fmt: skip


def test_the_newest_that_the_mirror_has_is_used_and_reported(fill: Filler, tmp_path: Path) -> None:
    old = "5.10.0-32-cloud-arm64"
    archive = Archive(
        tmp_path,
        [
            package("linux-image-cloud-arm64", "5.10.262-1", "linux-image-5.10.0-46-cloud-arm64"),
            package("linux-image-5.10.0-46-cloud-arm64", "5.10.262-1"),
            package("linux-image-5.10.0-45-cloud-arm64", "5.10.259-1"),
            package(f"linux-image-{old}", "5.10.223-1"),
            package("linux-image-6.1.0-9-cloud-arm64", "6.1.1-1"),
        ],
        {
            (f"linux-image-{old}", "5.10.223-1"): image_files(old, "5.10.223"),
            ("linux-image-6.1.0-9-cloud-arm64", "6.1.1-1"): image_files("6.1.0-9-cloud-arm64", "6.1.1"),
        },
    )
    kernel = fill("debian-11", archive)
    assert archive.refreshed == 1, "our lists may be what is old"
    assert kernel.release == old
    assert kernel.provenance["packages"][0]["name"] == f"linux-image-{old}"
    assert len(kernel.provenance["notes"]) == 2
    assert any(f"using linux-image-{old}" in line for line in fill.notices)


def test_a_mirror_with_none_of_them(fill: Filler, tmp_path: Path) -> None:
    index = [
        package("linux-image-cloud-arm64", "6.1.192-2", "linux-image-6.1.0-56-cloud-arm64"),
        package("linux-image-6.1.0-56-cloud-arm64", "6.1.192-2"),
    ]
    with pytest.raises(BenchError, match="none of the 1 kernel images"):
        fill("debian-12", Archive(tmp_path, index, {}))


def test_an_image_package_that_is_a_shell_brings_its_pieces(fill: Filler, tmp_path: Path) -> None:
    release, version = "7.2.13+deb14-cloud-arm64", "7.2.13-1"
    below = f"usr/lib/modules/{release}"
    pieces = {
        "base": {f"{below}/config": configuration("arm64", "7.2.13").encode(), f"{below}/dtb/arm/juno.dtb": b"dtb"},
        "binary": {f"{below}/vmlinuz": arm64_image(release)},
        "modules": {f"{below}/kernel/net/veth.ko.xz": b"module"},
    }
    names = [f"linux-{piece}-{release}" for piece in pieces]
    archive = Archive(
        tmp_path,
        [
            package("linux-image-cloud-arm64", version, "linux-base-cloud-arm64", f"linux-image-{release}"),
            package("linux-base-cloud-arm64", version),
            package(f"linux-image-{release}", version, *names),
            *(package(name, version) for name in names),
        ],
        {(f"linux-image-{release}", version): {}}
        | {(name, version): files for name, files in zip(names, pieces.values(), strict=True)},
    )
    kernel = fill("debian-sid", archive)
    assert archive.tried == [f"linux-image-{release}", *names]
    assert kernel.image.read_bytes() == arm64_image(release)
    tree = kernel.folder / "modules/lib/modules" / release
    assert [path.name for path in tree.iterdir()] == ["kernel"], "image, configuration and device trees are no modules"


def test_a_suite_with_another_series_is_an_error(fill: Filler, tmp_path: Path) -> None:
    index = [package("linux-image-cloud-arm64", "6.12.1-1", "linux-image-6.12.1-cloud-arm64")]
    with pytest.raises(BenchError, match=r"images/catalogue\.toml"):
        fill("debian-12", Archive(tmp_path, index, {}))


def test_a_package_with_an_unknown_layout(fill: Filler, tmp_path: Path) -> None:
    name = "linux-image-6.1.0-56-cloud-arm64"
    index = [package("linux-image-cloud-arm64", "6.1.192-2", name), package(name, "6.1.192-2")]
    archive = Archive(tmp_path, index, {(name, "6.1.192-2"): {"efi/linux": b""}})
    with pytest.raises(BenchError, match="at a known path"):
        fill("debian-12", archive)


def older(tmp_path: Path, there: bool = True) -> Archive:
    """An archive with the newest version and an older one, whose file the mirror may lack."""
    release = "6.1.0-47-cloud-arm64"
    return Archive(
        tmp_path,
        [
            package("linux-image-cloud-arm64", "6.1.192-2", "linux-image-6.1.0-56-cloud-arm64"),
            package("linux-image-6.1.0-56-cloud-arm64", "6.1.192-2"),
            package(f"linux-image-{release}", "6.1.170-3"),
        ],
        {(f"linux-image-{release}", "6.1.170-3"): image_files(release, "6.1.170")} if there else {},
    )


def test_a_point_release_is_the_package_of_that_version(fill: Filler, tmp_path: Path) -> None:
    kernel = fill("debian-12@6.1.170", older(tmp_path))
    assert (kernel.name, kernel.version, kernel.era) == ("debian-12@6.1.170", "6.1.170", "6.1")
    assert kernel.version_code == 6 << 16 | 1 << 8 | 170
    assert [one["version"] for one in kernel.provenance["packages"]] == ["6.1.170-3"]


def test_of_a_version_the_mirror_has_dropped_no_other_is_taken(fill: Filler, tmp_path: Path) -> None:
    with pytest.raises(PackageGone) as caught:
        fill("debian-12@6.1.170", older(tmp_path, there=False))
    assert "hil kernels list debian-12 --all" in caught.value.remedy


def test_a_package_whose_dependencies_are_gone_is_incomplete(fill: Filler, tmp_path: Path) -> None:
    release = "6.19.6+deb13-cloud-arm64"
    pieces = [f"linux-{piece}-{release}" for piece in ("base", "binary", "modules")]
    shell = package(f"linux-image-{release}", "6.19.6-2", *pieces)
    with pytest.raises(UserError, match=r"no longer has all of debian-13@6\.19\.6/arm64: it lacks linux-modules-6\.19"):
        fill("debian-13@6.19.6", Archive(tmp_path, [shell, *(package(one, "6.19.6-2") for one in pieces[:2])], {}))


def test_an_image_that_is_whole_needs_nothing_that_was_built_with_it(fill: Filler, tmp_path: Path) -> None:
    """6.18 depends on linux-base-..., which has documentation only and is no longer in the archive."""
    release = "6.18.5+deb13-cloud-arm64"
    image = package(f"linux-image-{release}", "6.18.5-1", f"linux-base-{release}")
    archive = Archive(tmp_path, [image], {(image.name, image.version): image_files(release, "6.18.5")})
    assert fill("debian-13@6.18.5", archive).version == "6.18.5"
