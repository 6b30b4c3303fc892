# SPDX-License-Identifier: MIT
"""The types of a kernel (BTF), taken from its image. A running kernel has them in /sys/kernel/btf/vmlinux."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.objects.btf.reader import Btf
from harness.objects.reasons import Refused
from hil.errors import BenchError, UserError

_HEADER = struct.Struct("<HBBI4I")
_BEGINNING = _HEADER.pack(0xEB9F, 1, 0, _HEADER.size, 0, 0, 0, 0)[: 3 * 4]
_LEAST_TYPES = 1 << 16
"""Bytes: a kernel has megabytes of types. What is shorter and begins like BTF is something else."""
# Documentation/arch/x86/boot.rst: in the setup header, its length in sectors, and where the compressed kernel is.
_X86_MAGIC, _SETUP_SECTORS, _PAYLOAD = (0x202, b"HdrS"), 0x1F1, 0x248
_SECTOR = 512


def from_file(file: Path) -> Btf:
    """Returns the types in a kernel's image or vmlinux, or in a copy of its /sys/kernel/btf/vmlinux.

    Raises UserError when there are none, or the image is damaged, and BenchError when it is compressed in a form that
    this host cannot decompress.
    """
    try:
        plain = _plain(file.read_bytes(), file)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, struct.error) as error:
        raise UserError(f"{file} is a damaged compressed image ({error})", remedy="build or copy it again") from None
    return from_memory(plain, str(file))


def from_memory(data: bytes, what: str) -> Btf:
    """Returns the types in a kernel as it is in memory, or in what it shows of them; UserError names `what` when there
    are none."""
    for start, end in sorted(_pieces(data), key=lambda piece: piece[0] - piece[1]):
        try:
            return Btf(data[start:end])
        except Refused:
            continue
    raise UserError(f"{what} has no types", remedy="give a kernel with CONFIG_DEBUG_INFO_BTF, since 5.2")


def _pieces(data: bytes) -> Iterator[tuple[int, int]]:
    """Where something begins like the types of a kernel, and where it would end."""
    at = data.find(_BEGINNING)
    while at >= 0:
        *_, types, strings, length = _HEADER.unpack_from(data.ljust(at + _HEADER.size, b"\0"), at)
        end = at + _HEADER.size + strings + length
        if types >= _LEAST_TYPES and end <= len(data):
            yield at, end
        at = data.find(_BEGINNING, at + 1)


def _plain(data: bytes, image: Path) -> bytes:
    """The kernel as it is in memory."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    place, magic = _X86_MAGIC
    if data[place : place + len(magic)] != magic:
        return data
    start, length = struct.unpack_from("<2I", data, _PAYLOAD)
    start += ((data[_SETUP_SECTORS] or 4) + 1) * _SECTOR
    payload = data[start : start + length]
    for beginning, decompress in _COMPRESSIONS.items():
        if payload.startswith(beginning):
            return decompress(payload, image)
    raise BenchError(f"{image} is compressed in an unknown way ({payload[:4].hex()})", remedy="give its vmlinux")


def _gzip(payload: bytes, _: Path) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(payload)


def _xz(payload: bytes, _: Path) -> bytes:
    return lzma.LZMADecompressor().decompress(payload)


def _by_program(name: str) -> Callable[[bytes, Path], bytes]:
    """Python has no module for these; the length that the kernel's build puts behind the data is taken for garbage."""

    def decompress(payload: bytes, image: Path) -> bytes:
        try:
            done = subprocess.run([name, "-dc"], input=payload, capture_output=True, check=False)
        except FileNotFoundError:
            raise BenchError(f"{image} is compressed with {name}", remedy=f"install the program {name}") from None
        if not done.stdout:
            raise BenchError(f"{name} cannot decompress {image}", details=done.stderr.decode(errors="replace"))
        return done.stdout

    return decompress


UNPACKING = {"zstd": b"\x28\xb5\x2f\xfd", "lz4": b"\x02\x21\x4c\x18"}
"""The programs by which images are decompressed, with the beginning of the payload."""
_COMPRESSIONS: dict[bytes, Callable[[bytes, Path], bytes]] = {
    b"\x1f\x8b": _gzip,
    b"\xfd7zXZ": _xz,
    **{beginning: _by_program(name) for name, beginning in UNPACKING.items()},
}
"""By the beginning of the payload: scripts/Makefile.lib, the suffixes of vmlinux.bin."""
