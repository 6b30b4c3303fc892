# SPDX-License-Identifier: MIT
"""Files that are written whole, and what is no file."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hil.errors import UserError
from hil.whole import check_place, write_whole


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/file")
    for text in ("first", "second"):
        write_whole(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / "file").read_text() == text
    assert [one.name for one in (tmp_path / "there").iterdir()] == ["file"]


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()), daemon=True)
    reader.start()
    write_whole(pipe, "text")
    reader.join(10)
    assert heard == ["text"]
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "names no file"), ("folder", "names no file"), ("absent/file", "there is no folder absent")],
)
def test_a_place_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=said):
        check_place(Path(name), "--write-expect")


def test_a_place_that_may_be_written(tmp_path: Path) -> None:
    check_place(tmp_path / "file", "--write-expect")
    (tmp_path / "file").touch()
    check_place(tmp_path / "file", "--write-expect")
    check_place(Path("/dev/null"), "--write-expect")


def test_several_write_one_file_at_once(tmp_path: Path) -> None:
    """Each in one step: no text is mixed with another, and nobody fails."""
    texts = [letter * 10_000 for letter in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda text: write_whole(tmp_path / "file", text), texts * 100):
            assert (tmp_path / "file").read_text() in texts
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
