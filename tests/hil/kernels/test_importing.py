# SPDX-License-Identifier: MIT
"""Importing a user's kernel: its parts must fit together, and its name must not be that of another kernel's lane."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.errors import BenchError, UserError
from hil.kernels import distributions, entry, importing, store
from hil.kernels.entry import Parts

from .conftest import arm64_image, bzimage, configuration

Build = Callable[..., Parts]


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_a_kernel_under_a_name_of_the_catalogue_runs_that_lane(cached: Path, build: Build, arch: str) -> None:
    parts = build(arch, "4.1.52", "4.1.52-test", modules=True)
    imported = importing.add("linux-4.1", parts)
    kernel = store.get("linux-4.1", architecture(arch))
    assert kernel == imported
    assert (kernel.release, kernel.version, kernel.era) == ("4.1.52-test", "4.1.52", "4.1")
    assert kernel.provenance["source"] == store.IMPORTED
    assert kernel.provenance["files"]["image"] == str(parts.image)
    assert kernel.modules is not None
    tree = kernel.modules / "lib/modules/4.1.52-test"
    assert (tree / "kernel/net/veth.ko.xz").read_bytes() == b"module"
    assert not (tree / "build").is_symlink()


def test_optional_parts_are_kept(cached: Path, build: Build, tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_bytes(b"\x7fELF")
    (tmp_path / "System.map").write_text("ffffffff81000000 T _text\n" * 1000)
    parts = replace(build(), vmlinux=tmp_path / "vmlinux", system_map=tmp_path / "System.map")
    kernel = importing.add("mine", parts)
    assert kernel.vmlinux is not None
    assert kernel.vmlinux.read_bytes() == b"\x7fELF"
    assert kernel.system_map is not None
    assert kernel.system_map.read_text().startswith("ffffffff81000000 T _text\n")


@pytest.mark.parametrize("below", ["", "lib/modules", "lib/modules/4.1.52"])
def test_modules_are_found_at_or_below_the_folder(cached: Path, build: Build, below: str) -> None:
    parts = build(modules=True)
    assert parts.modules is not None
    kernel = importing.add("mine", replace(parts, modules=parts.modules / below))
    assert kernel.modules is not None
    assert (kernel.modules / "lib/modules/4.1.52/kernel/net/veth.ko.xz").exists()


def test_modules_of_another_release_are_refused(cached: Path, build: Build) -> None:
    other = build("x86_64", "4.1.51", modules=True)
    with pytest.raises(UserError, match=r"no modules for the release 4\.1\.52; there is 4\.1\.51"):
        importing.add("mine", replace(build(), modules=other.modules))


def test_a_compressed_image_is_kept_as_it_is(cached: Path, build: Build) -> None:
    parts = build("arm64")
    parts.image.write_bytes(gzip.compress(arm64_image("4.1.52")))
    assert importing.add("mine", parts).image.read_bytes() == parts.image.read_bytes()


def test_a_release_that_no_file_shows_must_be_given(cached: Path, build: Build) -> None:
    parts = build("arm64")
    parts.image.write_bytes(arm64_image("4.1.52")[:0x400])
    with pytest.raises(UserError, match="--release"):
        importing.add("mine", parts)
    assert importing.add("mine", parts, release="4.1.52-x").release == "4.1.52-x"


@pytest.mark.parametrize("release", ["mine", "4.1.52/../../../x", "4.1.52 x", "4"])
def test_a_release_no_kernel_has_is_refused(cached: Path, build: Build, release: str) -> None:
    parts = build("arm64")
    parts.image.write_bytes(arm64_image("4.1.52")[:0x400])
    with pytest.raises(UserError, match=r"is not a release of a kernel.*--release"):
        importing.add("mine", parts, release=release)
    assert not cached.exists()


def test_a_release_the_modules_show_need_not_be_given(cached: Path, build: Build) -> None:
    parts = build("arm64", "4.1.52", "4.1.52-y", modules=True)
    parts.image.write_bytes(arm64_image("4.1.52")[:0x400])
    assert importing.add("mine", parts).release == "4.1.52-y"


def test_a_headless_configuration_takes_the_version_of_the_release(cached: Path, build: Build) -> None:
    parts = build("x86_64", "4.1.52", "4.1.52-rt1")
    parts.config.write_text("CONFIG_X86_64=y\n")
    assert importing.add("mine", parts).version == "4.1.52"


def swapped_config(parts: Parts) -> None:
    parts.config.write_text(configuration("arm64"))


def later_config(parts: Parts) -> None:
    parts.config.write_text(configuration("x86_64", "5.10.1"))


def older_kernel(parts: Parts) -> None:
    parts.image.write_bytes(bzimage("3.10.0"))
    parts.config.write_text(configuration("x86_64", "3.10.0"))


@pytest.mark.parametrize(
    ("change", "name", "arch", "complaint"),
    [
        (swapped_config, "mine", None, "is for x86_64, but .* for arm64"),
        (later_config, "mine", None, r"is Linux 4\.1\.52, but .* for 5\.10\.1"),
        (older_kernel, "mine", None, r"older than 4\.1, the first release with rules"),
        (None, "mine", "arm64", "is for x86_64, not for arm64"),
        (None, "debian-12", None, r"4\.1\.52 cannot have the name debian-12, which stands for 6\.1"),
        (None, "../mine", None, "not a valid name of a kernel"),
        (None, "linux-4.1/x86_64", None, "not a valid name of a kernel"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    cached: Path, build: Build, change: Callable[[Parts], None] | None, name: str, arch: str | None, complaint: str
) -> None:
    parts = build()
    if change:
        change(parts)
    with pytest.raises(UserError, match=complaint):
        importing.add(name, parts, arch=architecture(arch) if arch else None)
    assert not cached.exists()


def test_later_releases_do_not_pass_for_the_series(cached: Path, build: Build) -> None:
    with pytest.raises(UserError, match="cannot have the name"):
        importing.add("linux-4.1", build("x86_64", "4.4.1"))


def test_a_taken_name_is_refused(cached: Path, build: Build) -> None:
    importing.add("mine", build())
    with pytest.raises(UserError, match=r"already.*hil kernels remove mine --arch x86_64"):
        importing.add("mine", build("x86_64", "4.1.51"))
    assert store.get("mine", architecture("x86_64")).version == "4.1.52"


def test_a_missing_file_is_named(cached: Path, build: Build) -> None:
    parts = build()
    parts.config.unlink()
    with pytest.raises(UserError, match=r"cannot read .*\.config: No such file"):
        importing.add("mine", parts)


def test_a_kernel_can_be_judged_as_another_release_and_distribution(cached: Path, build: Build) -> None:
    newer = build("x86_64", "7.9.1")
    with pytest.raises(UserError, match=r"newer than 7\.2.*--as 7\.2"):
        importing.add("mine", newer)
    kernel = importing.add("mine", newer, judged_as="7.2", distribution=distributions.named("vanilla"))
    assert (kernel.era, kernel.distribution) == ("7.2", distributions.named("vanilla"))
    assert store.era("mine", kernel.arch) == "7.2"
    assert importing.add("other", build("x86_64", "6.6.10")).era == "6.6"


@pytest.mark.parametrize("judged_as", ["x", "6", "6.1.5", "v6.1", "6.1 ", "-6.1"])
def test_what_it_is_to_be_judged_as_is_a_release(cached: Path, build: Build, judged_as: str) -> None:
    """Rules are keyed by MAJOR.MINOR; with another key in the metadata no run with the kernel could begin."""
    with pytest.raises(UserError, match=r"not a release of Linux; write --as MAJOR\.MINOR"):
        importing.add("mine", build("x86_64", "6.6.10"), judged_as=judged_as)
    assert not cached.exists()


def test_modules_are_verified_for_who_boots_them(cached: Path, build: Build) -> None:
    kernel = importing.add("mine", build(modules=True))
    assert kernel.modules is not None
    module = next(path for path in kernel.modules.rglob("*.ko*") if path.is_file())
    module.chmod(0o644)
    module.write_bytes(b"damaged")
    entry._check_once.cache_clear()
    assert store.get("mine", kernel.arch, boots=False) == kernel
    with pytest.raises(BenchError, match="is damaged"):
        store.get("mine", kernel.arch)
