# SPDX-License-Identifier: MIT
"""Reads architecture, release and version from a kernel image."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hil.arch import architectures
from hil.errors import UserError

# Documentation/arch/x86/boot.rst: the offset of the version string less 0x200 is at 0x20e.
_BZIMAGE_VERSION = 0x20E
# drivers/firmware/efi/libstub/zboot-header.S: "zimg", offset and size of the payload, then its compression; at 0x3c the
# offset of the COFF header, which begins with a signature and the machine.
_ZBOOT_MAGIC = (4, b"zimg")
_COFF = 0x3C
_GZIP_MAGIC = b"\x1f\x8b"

# init/version-timestamp.c (init/version.c before 6.2): linux_banner.
_BANNER = re.compile(rb"Linux version (\d+\.\d+[0-9A-Za-z.+~_-]* \([^\0\n]*)")
_VERSION = re.compile(r"#\d.*")


@dataclass(frozen=True)
class Image:
    """A kernel image. `arch` is the name in images/architectures.toml; `release` is the output of uname -r, `version`
    that of uname -v ("#1 SMP Debian 6.1.192-2 (2026-11-16)"), both empty when the image does not show them."""

    arch: str
    release: str
    version: str = ""


@dataclass(frozen=True)
class _Format:
    """A format of images: the offset of the architecture's magic number, and a function that gives the banner of a
    decompressed image, which begins with the release."""

    magic_at: int
    banner: Callable[[bytes], str]


def read(path: Path) -> Image:
    """Read an image in the format of an architecture, one compressed with gzip, or an EFI zboot of it.

    Raises UserError when it is none of these. The release stays empty for an EFI zboot whose compression is not gzip.
    """
    data = path.read_bytes()
    try:
        plain = _decompressed(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is a damaged compressed image ({error})", remedy="build or copy it again") from None
    for name, arch in architectures().items():
        known = _FORMATS[arch.image]
        if _has(plain, (known.magic_at, arch.image_magic.encode())):
            banner = known.banner(plain)
            version = _VERSION.search(banner)
            return Image(name, next(iter(banner.split()), ""), version[0].strip() if version else "")
        if _has(plain, _ZBOOT_MAGIC) and _pe_machine(plain) == arch.pe_machine:
            return Image(name, "")
    hint = ", not the ELF file vmlinux" if data.startswith(b"\x7fELF") else ""
    formats = ", ".join(dict.fromkeys(arch.image for arch in architectures().values()))
    raise UserError(f"{path} is not a kernel image", remedy=f"give the {formats} or Image.gz of the kernel{hint}")


def _has(data: bytes, magic: tuple[int, bytes]) -> bool:
    offset, text = magic
    return data[offset : offset + len(text)] == text


def _bzimage_banner(data: bytes) -> str:
    pointer = int.from_bytes(data[_BZIMAGE_VERSION : _BZIMAGE_VERSION + 2], "little")
    if not pointer:
        return ""
    return data[pointer + 0x200 : pointer + 0x400].partition(b"\0")[0].decode("ascii", errors="replace")


def _linux_banner(data: bytes) -> str:
    banner = _BANNER.search(data)
    return banner[1].decode("ascii", errors="replace") if banner else ""


_FORMATS: Mapping[str, _Format] = {
    "bzImage": _Format(0x202, _bzimage_banner),
    "Image": _Format(56, _linux_banner),
}
"""The formats by their names in images/architectures.toml."""


def _pe_machine(data: bytes) -> int:
    at = int.from_bytes(data[_COFF : _COFF + 4], "little") + 4
    return int.from_bytes(data[at : at + 2], "little")


def _decompressed(data: bytes) -> bytes:
    if data.startswith(_GZIP_MAGIC):
        return gzip.decompress(data)
    if _has(data, _ZBOOT_MAGIC) and data[24:28] == b"gzip":
        start, size = (int.from_bytes(data[at : at + 4], "little") for at in (8, 12))
        return zlib.decompressobj(wbits=31).decompress(data[start : start + size])
    return data
