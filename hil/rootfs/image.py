# SPDX-License-Identifier: MIT
"""Makes the image of a disk from a folder: ext4, which every kernel of Debian has built in, by mke2fs, without root.

The features are those that Linux 3.7 knows. There is no journal: what a guest writes is thrown away with it.
"""

from __future__ import annotations

import os
from pathlib import Path

from hil import cache, programs
from hil.errors import BenchError

_FEATURES = "none,filetype,extent,sparse_super,large_file,dir_index,ext_attr,dir_nlink,extra_isize"
_ROOM = 256 << 20
"""Bytes that are free in an image, for what a guest writes."""
_INODES = 20000
_BLOCK = 4096


def make(folder: Path, image: Path) -> None:
    """Writes `image`, a sparse file, with the contents of `folder`; raises BenchError when that fails."""
    size, files = _size(folder)
    # An inode takes 256 bytes, and the tables that find free blocks a little more.
    total = size + size // 16 + (files + _INODES) * 512 + _ROOM
    argv = ["mke2fs", "-q", "-t", "ext4", "-O", _FEATURES, "-m", "0", "-b", str(_BLOCK), "-N", str(files + _INODES)]
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    with cache.writing(image.parent):
        image.touch()
        os.truncate(image, total // _BLOCK * _BLOCK)
        cache.ensure_room(image.parent, size)
        argv += ["-E", "root_owner=0:0", "-d", str(folder), str(image)]
        done = programs.run(argv, environment=environment)
    if done.returncode == programs.NOT_FOUND:
        raise BenchError("no mke2fs on this host, which makes disks", remedy="install the package e2fsprogs")
    if done.returncode:
        if error := cache.error_in_output(image.parent, done.stderr):
            raise error
        raise BenchError(f"cannot make a disk of {folder}: mke2fs failed", details=done.stderr)


def _size(folder: Path) -> tuple[int, int]:
    """The bytes that the files take in blocks, and how many there are."""
    size = files = 0
    for parent, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        size += _BLOCK * len(folders)
        for name in names:
            size += -(-os.lstat(Path(parent, name)).st_size // _BLOCK) * _BLOCK
    return size, files
