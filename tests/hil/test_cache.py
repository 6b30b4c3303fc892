"""Folders that are filled once: complete or absent, read-only, and clear words when they cannot be."""

import errno
import os
import stat
from pathlib import Path

import pytest

from hil import cache


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


def test_left_overs_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".entry.new-killed").mkdir()
    (tmp_path / ".other.new-at-work").mkdir()
    with cache.replaced(tmp_path / "entry"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.new-at-work", "entry"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free space"), (errno.EACCES, "make it writable"), (errno.EROFS, "XDG_CACHE_HOME")],
)
def test_trouble_with_the_cache_is_one_line_with_advice(tmp_path: Path, number: int, advice: str) -> None:
    target = tmp_path / "entry"
    with pytest.raises(cache.Unusable) as caught, cache.replaced(target) as new:
        raise OSError(number, os.strerror(number), str(new / "deep" / "file"))
    assert str(target) in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert advice in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_trouble_with_somebody_elses_file_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), cache.written(tmp_path / "cache" / "entry"):
        raise PermissionError(errno.EACCES, "Permission denied", "/home/somebody/bzImage")


def test_a_full_disk_is_recognised_in_what_a_program_printed(tmp_path: Path) -> None:
    trouble = cache.complaint(tmp_path, "dpkg-deb: error: failed to write (No space left on device)")
    assert isinstance(trouble, cache.Unusable)
    assert cache.complaint(tmp_path, "404 Not Found") is None


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


def test_a_full_disk_is_ours_whatever_file_was_copied(tmp_path: Path) -> None:
    """shutil names the source, not the target, when sendfile(2) fails."""
    with pytest.raises(cache.Unusable, match="No space left"), cache.written(tmp_path / "cache" / "entry"):
        raise OSError(errno.ENOSPC, "No space left on device", "/home/somebody/bzImage")
