# SPDX-License-Identifier: MIT
"""A file through a pipe: whole, however large, and nothing stays when nobody reads."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hil.machine.feeding import pipe_of


def _descriptors() -> set[str]:
    return {one.name for one in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("size", [0, 5, (5 << 20) + 3])
def test_a_file_comes_out_of_the_pipe_as_it_is(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "state").write_bytes(content)
    with os.fdopen(pipe_of(tmp_path / "state"), "rb") as pipe:
        assert pipe.read() == content


def test_a_reader_that_is_gone_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(bytes(5 << 20))
    before = _descriptors()
    pipe = pipe_of(tmp_path / "state")
    assert len(os.read(pipe, 10)) == 10
    (thread,) = (one for one in threading.enumerate() if one.name == "feed state")
    os.close(pipe)
    thread.join(10)
    assert not thread.is_alive()
    assert _descriptors() == before


def test_a_file_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    before = _descriptors()
    with pytest.raises(FileNotFoundError):
        pipe_of(tmp_path / "state")
    assert _descriptors() == before
