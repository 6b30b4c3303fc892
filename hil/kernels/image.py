"""What a kernel image says of itself: its architecture and its release."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from hil.errors import UserError

# Documentation/arch/x86/boot.rst: "HdrS" at 0x202, the offset of the version string less 0x200 at 0x20e.
_BZIMAGE_MAGIC = (0x202, b"HdrS")
_BZIMAGE_VERSION = 0x20E
# Documentation/arch/arm64/booting.rst: the magic at 56 of the decompressed image.
_ARM64_MAGIC = (56, b"ARM\x64")
# drivers/firmware/efi/libstub/zboot-header.S: "zimg", offset and size of the payload, then how it is compressed.
_ZBOOT_MAGIC = (4, b"zimg")
_GZIP_MAGIC = b"\x1f\x8b"

# init/version-timestamp.c (init/version.c before 6.2): linux_banner.
_BANNER = re.compile(rb"Linux version (\d+\.\d+[0-9A-Za-z.+~_-]*) \(")


@dataclass(frozen=True)
class Image:
    """`arch` by our name; `release` is what uname -r will print, empty when the image does not show it."""

    arch: str
    release: str


def read(path: Path) -> Image:
    """Look into an image: bzImage, arm64's Image, the same compressed with gzip, or an EFI zboot of it.

    UserError when it is none of these. The release stays empty for an EFI zboot whose compression is not gzip.
    """
    data = path.read_bytes()
    if _has(data, _BZIMAGE_MAGIC):
        return Image("x86_64", _bzimage_release(data))
    try:
        plain = _decompressed(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is a damaged compressed image ({error})", remedy="build or copy it again") from None
    if _has(plain, _ZBOOT_MAGIC):
        return Image("arm64", "")
    if _has(plain, _ARM64_MAGIC):
        banner = _BANNER.search(plain)
        return Image("arm64", banner[1].decode() if banner else "")
    hint = ", not the ELF file vmlinux" if data.startswith(b"\x7fELF") else ""
    raise UserError(f"{path} is no kernel image", remedy=f"give the bzImage, Image or Image.gz of the kernel{hint}")


def _has(data: bytes, magic: tuple[int, bytes]) -> bool:
    offset, text = magic
    return data[offset : offset + len(text)] == text


def _bzimage_release(data: bytes) -> str:
    pointer = int.from_bytes(data[_BZIMAGE_VERSION : _BZIMAGE_VERSION + 2], "little")
    if not pointer:
        return ""
    text = data[pointer + 0x200 : pointer + 0x400].partition(b"\0")[0]
    words = text.decode("ascii", errors="replace").split()
    return words[0] if words else ""


def _decompressed(data: bytes) -> bytes:
    if data.startswith(_GZIP_MAGIC):
        return gzip.decompress(data)
    if _has(data, _ZBOOT_MAGIC) and data[24:28] == b"gzip":
        start, size = (int.from_bytes(data[at : at + 4], "little") for at in (8, 12))
        return zlib.decompressobj(wbits=31).decompress(data[start : start + size])
    return data
