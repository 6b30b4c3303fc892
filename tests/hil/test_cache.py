# SPDX-License-Identifier: MIT
"""Folders of the cache: complete or absent, read-only, with clear errors when they cannot be written."""

import errno
import os
import resource
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from hil import cache
from hil.errors import BenchError
from tests.waiting import until


def test_a_folder_appears_complete_and_read_only(tmp_path: Path) -> None:
    target = tmp_path / "entry"
    with cache.replaced(target) as new:
        (new / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert stat.S_IMODE((target / "file").stat().st_mode) == 0o444
    assert stat.S_IMODE(target.stat().st_mode) == 0o555


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "entry"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(ZeroDivisionError), cache.replaced(target) as new:
        (new / "half").touch()
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.rglob("*")] == ["entry", "old"]


def test_left_overs_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".entry.new-killed").mkdir()
    (tmp_path / ".other.new-at-work").mkdir()
    with cache.replaced(tmp_path / "entry"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.new-at-work", "entry"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free space"), (errno.EACCES, "make it writable"), (errno.EROFS, "XDG_CACHE_HOME")],
)
def test_an_error_of_the_cache_is_one_line_with_a_remedy(tmp_path: Path, number: int, advice: str) -> None:
    target = tmp_path / "entry"
    with pytest.raises(cache.Unusable) as caught, cache.replaced(target) as new:
        raise OSError(number, os.strerror(number), str(new / "deep" / "file"))
    assert str(target) in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert advice in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), cache.writing(tmp_path / "cache" / "entry"):
        raise PermissionError(errno.EACCES, "Permission denied", "/home/somebody/bzImage")


def test_a_full_disk_is_recognised_in_what_a_program_printed(tmp_path: Path) -> None:
    trouble = cache.error_in_output(tmp_path, "dpkg-deb: error: failed to write (No space left on device)")
    assert isinstance(trouble, cache.Unusable)
    assert cache.error_in_output(tmp_path, "404 Not Found") is None


def test_room_is_asked_for_beforehand(tmp_path: Path) -> None:
    cache.ensure_room(tmp_path, 1)
    with pytest.raises(cache.Unusable, match="No space left"):
        cache.ensure_room(tmp_path, 1 << 62)


def test_remove_copes_with_read_only_folders(tmp_path: Path) -> None:
    target = tmp_path / "entry"
    with cache.replaced(target) as new:
        (new / "deep/er").mkdir(parents=True)
    cache.remove(target)
    cache.remove(target)
    assert not target.exists()


def test_who_waits_for_a_folder_that_is_removed_with_its_lock_has_the_lock(tmp_path: Path) -> None:
    folder, waiting, goes_on = tmp_path / "kernel" / "arm64", threading.Event(), threading.Event()
    held: list[bool] = []

    def wait() -> None:
        with cache.locked(folder, notify=lambda _: waiting.set()):
            held.append(cache.held(folder))
            goes_on.wait()

    other = threading.Thread(target=wait)
    with cache.locked(folder):
        folder.mkdir()
        other.start()
        assert waiting.wait(60)
        cache.remove_with_lock(folder)
        assert not folder.exists()
    until(lambda: held)
    goes_on.set()
    other.join()
    assert held == [True], "whoever comes next waits for it"


def test_a_full_disk_is_ours_whatever_file_was_copied(tmp_path: Path) -> None:
    """shutil names the source, not the target, when sendfile(2) fails."""
    with pytest.raises(cache.Unusable, match="No space left"), cache.writing(tmp_path / "cache" / "entry"):
        raise OSError(errno.ENOSPC, "No space left on device", "/home/somebody/bzImage")


def _made(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_bytes(b"content")


@pytest.mark.parametrize("name", ["deep/file", "sha256sums"])
@pytest.mark.parametrize("place", [0, -1])
def test_what_differs_by_a_bit_is_made_again(name: str, place: int, tmp_path: Path) -> None:
    target = tmp_path / "entry"
    cache.ensure(target, _made)
    path = target / name
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    messages: list[str] = []
    cache.ensure(target, _made, notify=messages.append)
    assert (target / "deep/file").read_bytes() == b"content"
    assert len(messages) == 1 and "damaged" in messages[0] and str(path) in messages[0]
    cache.check(target)


def test_what_is_missing_or_has_no_seal_is_made_again(tmp_path: Path) -> None:
    target = tmp_path / "entry"
    for name in ("deep/file", "sha256sums"):
        cache.ensure(target, _made)
        for parent in (target, target / "deep"):
            parent.chmod(0o755)
        (target / name).unlink()
        cache.ensure(target, _made)
        cache.check(target)


def test_what_is_whole_is_neither_made_again_nor_locked(tmp_path: Path) -> None:
    cache.ensure(tmp_path / "entry", _made)
    (tmp_path / ".entry.lock").unlink()
    cache.ensure(tmp_path / "entry", lambda _: pytest.fail("made again"))
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]


def test_an_unreadable_file_is_reported_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.ensure(tmp_path / "entry", _made)

    def fail(path: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(cache, "sha256", fail)
    with pytest.raises(cache.Unusable, match="entry/deep/file: Input/output error; its disk fails"):
        cache.ensure(tmp_path / "entry", lambda _: pytest.fail("made again"))
    assert (tmp_path / "entry/deep/file").read_bytes() == b"content"


def test_a_process_without_descriptors_says_nothing_of_the_cache(tmp_path: Path) -> None:
    cache.ensure(tmp_path / "entry", _made)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(BenchError, match=r"sha256sums: Too many open files; .*ulimit") as caught:
            cache.check(tmp_path / "entry")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert not isinstance(caught.value, cache.Unusable | cache.Damaged)
    cache.check(tmp_path / "entry")


def test_a_seal_is_what_sha256sum_checks(tmp_path: Path) -> None:
    cache.ensure(tmp_path / "entry", _made)
    done = subprocess.run(["sha256sum", "--check", "--strict", "sha256sums"], cwd=tmp_path / "entry")
    assert done.returncode == 0
