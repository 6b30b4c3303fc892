# SPDX-License-Identifier: MIT
"""Downloads from a server that closes connections, refuses, or does not support ranges."""

import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.cache import Unusable
from hil.errors import BenchError
from hil.kernels.building.download import FRUITLESS, download
from hil.kernels.progress import Silent

from .conftest import Recorder, Server

CONTENT = random.Random(41).randbytes(300_000)


@pytest.fixture
def target(tmp_path: Path, server: Server) -> Path:
    server.content = CONTENT
    return tmp_path / "file.part"


def test_a_whole_file(server: Server, target: Path) -> None:
    recorder = Recorder()
    download(server.url, target, recorder)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [""]
    assert recorder.amounts[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_download_is_resumed(server: Server, target: Path) -> None:
    server.breaks = [100_000, 0, 50_000]
    download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=100000-", "bytes=100000-", "bytes=150000-"]


def test_what_an_earlier_run_left_is_the_beginning(server: Server, target: Path) -> None:
    target.write_bytes(CONTENT[:7])
    download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=7-"]


def test_a_server_without_ranges_starts_again(server: Server, target: Path) -> None:
    server.knows_ranges = False
    target.write_bytes(CONTENT[:7])
    download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT


def test_a_file_that_is_complete_stays(server: Server, target: Path) -> None:
    target.write_bytes(CONTENT)
    download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_file_that_is_too_long_is_fetched_again(server: Server, target: Path) -> None:
    target.write_bytes(CONTENT + b"more")
    download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT


def test_the_error_after_fruitless_attempts_says_how_to_resume(server: Server, target: Path) -> None:
    server.breaks = [1000] + [0] * FRUITLESS
    with pytest.raises(BenchError, match=r"was closed, 1000 bytes were downloaded; run it again .*--tarball"):
        download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT[:1000]
    download(server.url, target, Silent())
    assert target.read_bytes() == CONTENT


def test_a_refusal_is_final(server: Server, target: Path) -> None:
    server.status = 404
    with pytest.raises(BenchError, match=r"the server answered 404 Not Found; get the file in another way .*--tarball"):
        download(server.url, target, Silent())
    assert server.ranges == [""]
    assert not target.exists()


def test_no_server_listens(server: Server, target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BenchError, match="Connection refused"):
        download(f"http://127.0.0.1:{port}/x", target, Silent())


def test_a_file_that_cannot_fit_is_not_begun(server: Server, target: Path, small_disk: Callable[[str], Path]) -> None:
    target = small_disk("100k") / "file.part"
    with pytest.raises(Unusable, match=r"No space left on device; free space there"):
        download(server.url, target, Silent())
    assert not target.exists()
    assert server.ranges == [""]


def test_a_disk_that_fills_up_meanwhile(
    server: Server, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = CONTENT
    monkeypatch.setattr("hil.cache.ensure_room", lambda *_: None)
    with pytest.raises(Unusable, match="No space left on device"):
        download(server.url, small_disk("100k") / "file.part", Silent())
    assert server.ranges == [""]
