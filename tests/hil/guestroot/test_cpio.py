# SPDX-License-Identifier: MIT
"""Archives: the rules of the kernel's reader, and that the bytes depend only on the entries."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from hil.guestroot import cpio

ENTRIES = {
    "init": cpio.regular(b"#!/bin/sh\n", 0o755),
    "dev/null": cpio.character_device((1, 3), 0o666),
    "bin/sh": cpio.symlink("busybox"),
    "tmp": cpio.directory(0o1777),
    "lib/a/b": cpio.regular(b"x" * 5),
    "lib-x": cpio.regular(b""),
}


def records(archive: bytes) -> list[tuple[str, list[int], bytes]]:
    """The name, header fields and data of every record, read as init/initramfs.c does."""
    found = []
    at = 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name_size, size = fields[11], fields[6]
        name = archive[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        start = (at + 110 + name_size + 3) & ~3
        found.append((name[:-1].decode(), fields, archive[start : start + size]))
        at = (start + size + 3) & ~3
    return found


def test_ends_with_the_trailer() -> None:
    assert records(cpio.archive({}))[-1][0] == "TRAILER!!!"


def test_a_directory_comes_before_what_it_holds() -> None:
    names = [name for name, _, _ in records(cpio.archive(ENTRIES))]
    assert names == [
        ".",
        "bin",
        "bin/sh",
        "dev",
        "dev/null",
        "init",
        "lib",
        "lib/a",
        "lib/a/b",
        "lib-x",
        "tmp",
        "TRAILER!!!",
    ]


def test_the_root_is_not_writable_for_everybody() -> None:
    name, fields, _ = records(cpio.archive(ENTRIES))[0]
    assert (name, fields[1]) == (".", stat.S_IFDIR | 0o755)


def test_a_given_directory_keeps_its_permissions() -> None:
    archive = cpio.archive({"tmp": cpio.directory(0o1777), "tmp/x": cpio.regular(b"")})
    modes = {name: fields[1] for name, fields, _ in records(archive)}
    assert modes["tmp"] == stat.S_IFDIR | 0o1777


def test_owner_and_times_are_zero_and_inodes_count_up() -> None:
    rows = records(cpio.archive(ENTRIES))[:-1]
    assert all((fields[2], fields[3], fields[5]) == (0, 0, 0) for _, fields, _ in rows)
    assert [fields[0] for _, fields, _ in rows] == list(range(1, len(rows) + 1))


def test_files_have_one_link_for_the_kernel_takes_more_as_hard_links() -> None:
    for _, fields, _ in records(cpio.archive(ENTRIES)):
        assert fields[4] == (2 if stat.S_ISDIR(fields[1]) else 1)


def test_the_order_of_the_entries_does_not_matter() -> None:
    assert cpio.archive(dict(reversed(ENTRIES.items()))) == cpio.archive(ENTRIES)


def test_device_numbers_and_links_are_written() -> None:
    rows = {name: (fields, data) for name, fields, data in records(cpio.archive(ENTRIES))}
    assert rows["dev/null"][0][9:11] == [1, 3]
    assert stat.S_ISCHR(rows["dev/null"][0][1])
    assert rows["bin/sh"][1] == b"busybox"
    assert stat.S_ISLNK(rows["bin/sh"][0][1])


@pytest.mark.parametrize("name", ["/init", "../init", "a//b", "a/", "./a", "a/../b", ""])
def test_refuses_names_that_are_not_plain(name: str) -> None:
    with pytest.raises(ValueError, match="not a plain path"):
        cpio.archive({name: cpio.regular(b"")})


@pytest.mark.skipif(not shutil.which("cpio"), reason="no cpio on this host")
def test_cpio_reads_it(tmp_path: Path) -> None:
    plain = {name: entry for name, entry in ENTRIES.items() if not stat.S_ISCHR(entry.mode)}
    command = ["cpio", "--extract", "--quiet", "--no-preserve-owner"]
    subprocess.run(command, input=cpio.archive(plain), cwd=tmp_path, check=True)
    assert (tmp_path / "init").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "lib/a/b").read_bytes() == b"xxxxx"
    assert (tmp_path / "bin/sh").readlink() == Path("busybox")
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777
