# SPDX-License-Identifier: MIT
"""The types of a kernel from its image, compressed or not."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.objects.kernel_types import from_file
from hil.errors import BenchError, UserError
from tests.harness.objects.types import Types


def vmlinux() -> bytes:
    """Types as long as a kernel's among other things, which begin like types themselves."""
    types = Types()
    for number in range(6000):
        types.int(f"int{number}")
    content = types.content()
    return b"\0" * 100 + content[:12] + b"\xff" * 40 + content + b"\0" * 100


def bzimage(payload: bytes) -> bytes:
    """An image as boot.rst has it: a setup of one sector behind the first, then the payload."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    head[0x248:0x250] = struct.pack("<2I", 16, len(payload))
    return bytes(head) + bytes(16) + payload


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        lambda data: bzimage(gzip.compress(data) + b"\1\2\3\4"),
        lambda data: bzimage(lzma.compress(data) + b"\1\2\3\4"),
    ],
)
def test_types_in_an_image(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "image").write_bytes(pack(vmlinux()))
    found = from_file(tmp_path / "image")
    assert found.named("int5999") == [6000]
    assert found.named("int6000") == []


def test_an_image_without_types(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(bytes(1000))
    with pytest.raises(UserError, match="has no types"):
        from_file(tmp_path / "image")


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8bno image",
        gzip.compress(vmlinux(), mtime=0)[:500],
        bzimage(gzip.compress(vmlinux(), mtime=0)[:10] + bytes(10)),
        bzimage(lzma.compress(vmlinux())[:20] + b"\xff" * 200),
        bzimage(b"")[:0x24A],
    ],
)
def test_a_damaged_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(UserError, match="image is a damaged compressed image"):
        from_file(tmp_path / "image")


def test_an_image_compressed_otherwise(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(bzimage(b"LZOX"))
    with pytest.raises(BenchError, match="compressed in an unknown way"):
        from_file(tmp_path / "image")
