# SPDX-License-Identifier: MIT
"""A file through a pipe: whole, however large, and nothing stays when nobody reads or when it fails."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.machine.feeding import pipe_of
from tests.hil.machine.conftest import descriptors

_NO_PIPE = OSError(errno.EMFILE, "Too many open files")
_NO_THREAD = RuntimeError("can't start new thread")


def _raises(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def _wait_for_the_end(file: Path) -> None:
    """Wait for the thread that feeds a file; it may have ended already."""
    for thread in threading.enumerate():
        if thread.name == f"feed {file}":
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("size", [0, 5, (5 << 20) + 3])
def test_a_file_comes_out_of_the_pipe_as_it_is(tmp_path: Path, size: int) -> None:
    file = tmp_path / "whole"
    content = os.urandom(size)
    file.write_bytes(content)
    with os.fdopen(pipe_of(file.open("rb", buffering=0)), "rb") as pipe:
        assert pipe.read() == content
    _wait_for_the_end(file)


def test_a_reader_that_is_gone_is_logged_and_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "hil.machine.feeding")
    file = tmp_path / "read in part"
    file.write_bytes(bytes(5 << 20))
    before = descriptors()
    pipe = pipe_of(file.open("rb", buffering=0))
    assert len(os.read(pipe, 10)) == 10
    os.close(pipe)
    _wait_for_the_end(file)
    assert descriptors() == before
    assert [record.getMessage() for record in caplog.records] == [f"{file}: [Errno 32] Broken pipe"]


def test_a_pipe_that_cannot_be_made_larger_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "through a small pipe"
    file.write_bytes(b"content")
    monkeypatch.setattr("fcntl.fcntl", _raises(OSError(errno.ENOMEM, "Cannot allocate memory")))
    with os.fdopen(pipe_of(file.open("rb", buffering=0)), "rb") as pipe:
        assert pipe.read() == b"content"
    _wait_for_the_end(file)


@pytest.mark.parametrize(("what", "error"), [("os.pipe", _NO_PIPE), ("threading.Thread.start", _NO_THREAD)])
def test_without_a_pipe_or_a_thread_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception
) -> None:
    before = descriptors()
    file = (tmp_path / "never read").open("xb+", buffering=0)
    with monkeypatch.context() as patch:
        patch.setattr(what, _raises(error))
        with pytest.raises(type(error), match=str(error.args[-1])):
            pipe_of(file)
    assert descriptors() == before
