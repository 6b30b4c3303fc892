# SPDX-License-Identifier: MIT
"""A writer of cpio archives in the `newc` format, which the kernel unpacks as its first root file system.

The archive depends only on the entries: the same entries give the same bytes. Owner and group are 0, every time is 0,
inode numbers count up in the order of the names. Device nodes are only written to the archive, which needs no root.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux, and `init/initramfs.c`, which reads it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_MAGIC = "070701"
_TRAILER = "TRAILER!!!"
_ALIGNMENT = 4


@dataclass(frozen=True)
class Entry:
    """One file: `mode` as in st_mode, `data` its content or a symbolic link's target, `device` major and minor."""

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(permissions: int = 0o755) -> Entry:
    return Entry(stat.S_IFDIR | permissions)


def regular(data: bytes, permissions: int = 0o644) -> Entry:
    return Entry(stat.S_IFREG | permissions, data)


def symlink(destination: str) -> Entry:
    return Entry(stat.S_IFLNK | 0o777, destination.encode())


def character_device(number: tuple[int, int], permissions: int) -> Entry:
    """A device node; `number` is major and minor, see Documentation/admin-guide/devices.txt."""
    return Entry(stat.S_IFCHR | permissions, device=number)


def archive(entries: Mapping[str, Entry]) -> bytes:
    """The archive of `entries`, by path relative to the root ("bin/sh"); missing parents become directories (0755).

    The root is one of the entries, because rootfs is a tmpfs, which everybody may write unless an archive changes it.
    """
    complete = {parent: directory() for name in entries for parent in _parents(name)} | dict(entries)
    # By components, so that a directory comes before its content: the kernel does not make parents.
    names = sorted(complete, key=lambda name: PurePosixPath(name).parts)
    records = [_record(inode, name, complete[name]) for inode, name in enumerate(names, start=1)]
    return b"".join([*records, _record(0, _TRAILER, Entry(0))])


def _parents(name: str) -> Iterator[str]:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name:
        raise ValueError(f"not a plain path relative to the root: {name!r}")
    return map(str, path.parents)


def _record(inode: int, name: str, entry: Entry) -> bytes:
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    encoded = name.encode() + b"\0"
    fields = (
        inode,
        entry.mode,
        0,  # uid
        0,  # gid
        links,
        0,  # mtime
        len(entry.data),
        0,  # major and
        0,  # minor number of the device that holds the file
        *entry.device,
        len(encoded),
        0,  # checksum, unused in this variant
    )
    header = _MAGIC + "".join(f"{field:08x}" for field in fields)
    return _padded(header.encode() + encoded) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
