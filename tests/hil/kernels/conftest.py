# SPDX-License-Identifier: MIT
"""Kernels made in memory, with the few bytes of an image and the lines of a configuration that are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hil.arch import Architecture
from hil.kernels import entry
from hil.kernels.entry import Parts


def bzimage(release: str = "4.1.52") -> bytes:
    """An image as laid out by arch/x86/boot/header.S: "HdrS" at 0x202, the pointer to the version string at 0x20e."""
    data = bytearray(0x600)
    data[0x202:0x206] = b"HdrS"
    data[0x20E:0x210] = (0x300).to_bytes(2, "little")
    text = f"{release} (me@here) #1 SMP\0".encode()
    data[0x500 : 0x500 + len(text)] = text
    return bytes(data)


def arm64_image(release: str = "4.1.52") -> bytes:
    """An image as laid out by arch/arm64/kernel/head.S, followed by linux_banner."""
    data = bytearray(0x400)
    data[56:60] = b"ARM\x64"
    # A real image has formats of vsprintf and dmesg before the banner.
    return bytes(data) + b"Linux version %s\0" + f"Linux version {release} (me@here) (gcc) #1 SMP\n\0".encode()


def configuration(arch: str = "x86_64", version: str = "4.1.52") -> str:
    source, symbol = {"x86_64": ("x86", "CONFIG_X86_64=y"), "arm64": ("arm64", "CONFIG_ARM64=y")}[arch]
    return f"#\n# Automatically generated file.\n# Linux/{source} {version} Kernel Configuration\n#\n{symbol}\n"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; gives the folder below which kernels are cached."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/hil/kernels"


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Parts]:
    """A user's build: `build("arm64", "4.1.52")` makes its files and returns their paths."""

    def make(arch: str = "x86_64", version: str = "4.1.52", release: str = "", modules: bool = False) -> Parts:
        release = release or version
        folder = tmp_path / f"build-{arch}-{release}"
        tree = folder / "lib/modules" / release
        (tree / "kernel/net").mkdir(parents=True)
        (tree / "kernel/net/veth.ko.xz").write_bytes(b"module")
        (tree / "modules.order").write_text("kernel/net/veth.ko\n")
        (tree / "build").symlink_to("/nowhere")
        (folder / "image").write_bytes(bzimage(release) if arch == "x86_64" else arm64_image(release))
        (folder / ".config").write_text(configuration(arch, version))
        return Parts(folder / "image", folder / ".config", folder if modules else None)

    return make


def fill_with(parts: Parts, release: str, version: str) -> Callable[..., None]:
    """A replacement of `hil.kernels.debian.fill` that makes the same entry without an archive."""

    def fill(folder: Path, known: object, source: object, arch: Architecture, notify: object) -> None:
        entry.write(folder, getattr(known, "name"), arch, parts, release, version, {"source": "debian"})  # noqa: B009

    return fill
