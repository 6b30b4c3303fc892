# SPDX-License-Identifier: MIT
"""Images: their architecture and release."""

import gzip
from pathlib import Path

import pytest

from hil.errors import UserError
from hil.kernels import image
from hil.kernels.image import Image

from .conftest import arm64_image, bzimage


def zboot(payload: bytes, kind: bytes, machine: int = 0xAA64) -> bytes:
    """An EFI zboot image: "MZ", "zimg", offset and size of the payload, reserved, compression; behind it the COFF
    header, which begins with its signature and the machine."""
    header = b"MZ\0\0zimg" + (72).to_bytes(4, "little") + len(payload).to_bytes(4, "little") + bytes(8) + kind
    coff = b"PE\0\0" + machine.to_bytes(2, "little")
    return header.ljust(0x3C, b"\0") + (0x40).to_bytes(4, "little") + coff.ljust(8, b"\0") + payload + b"behind"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bzimage("6.1.0-56-cloud-amd64"), Image("x86_64", "6.1.0-56-cloud-amd64", "#1 SMP")),
        (bzimage("")[:0x20E] + bytes(0x300), Image("x86_64", "")),
        (arm64_image("6.12.117+deb13-cloud-arm64"), Image("arm64", "6.12.117+deb13-cloud-arm64", "#1 SMP")),
        (gzip.compress(arm64_image("4.1.52"), mtime=0), Image("arm64", "4.1.52", "#1 SMP")),
        (zboot(gzip.compress(arm64_image("7.2.13"), mtime=0), b"gzip"), Image("arm64", "7.2.13", "#1 SMP")),
        (zboot(b"\x28\xb5\x2f\xfd", b"zstd"), Image("arm64", "")),
    ],
)
def test_the_content_of_an_image(tmp_path: Path, data: bytes, expected: Image) -> None:
    (tmp_path / "image").write_bytes(data)
    assert image.read(tmp_path / "image") == expected


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"", "not a kernel image"),
        (b"MZ" + bytes(100), "not a kernel image"),
        (zboot(b"\x28\xb5\x2f\xfd", b"zstd", machine=0x14C), "not a kernel image"),
        (b"\x7fELF" + bytes(100), "not the ELF file vmlinux"),
        (gzip.compress(arm64_image(), mtime=0)[:-12], "damaged"),
        (zboot(b"\x1f\x8b\x08garbage", b"gzip"), "damaged"),
    ],
)
def test_what_is_no_image(tmp_path: Path, data: bytes, hint: str) -> None:
    (tmp_path / "image").write_bytes(data)
    with pytest.raises(UserError, match=hint):
        image.read(tmp_path / "image")
