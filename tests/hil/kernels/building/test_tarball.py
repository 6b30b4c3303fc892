# SPDX-License-Identifier: MIT
"""Only the tarball of the catalogue is accepted, wherever it comes from."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.cache import Unusable
from hil.errors import BenchError, UserError
from hil.kernels.building import tarball
from hil.kernels.catalogue import Tarball

from .conftest import Recorder, Server

GOOD, BAD = b"sources" * 1000, b"Sources" * 1000


def row(server: Server) -> Tarball:
    return Tarball(server.url, hashlib.sha256(GOOD).hexdigest())


@pytest.fixture
def folder(cached: Path) -> Path:
    """The folder in which tarballs are kept."""
    return cached.parent / "sources"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_it_is_downloaded_once(server: Server, folder: Path) -> None:
    server.content = GOOD
    path = tarball.ensure(row(server), None, Recorder())
    assert path.read_bytes() == GOOD
    assert tarball.ensure(row(server), None, Recorder()) == path
    assert len(server.ranges) == 1
    assert files(folder) == ["linux-4.1.52.tar.xz"]


def test_a_damaged_one_is_replaced(server: Server, folder: Path) -> None:
    server.content = GOOD
    path = tarball.ensure(row(server), None, Recorder())
    path.chmod(0o644)
    path.write_bytes(BAD)
    assert tarball.ensure(row(server), None, Recorder()).read_bytes() == GOOD


def test_another_file_from_the_server(server: Server, folder: Path) -> None:
    server.content = BAD
    with pytest.raises(BenchError, match=r"is not what the catalogue names: its sha256 is [0-9a-f]{64}, .*--tarball"):
        tarball.ensure(row(server), None, Recorder())
    assert files(folder) == []
    assert len(server.ranges) == 1


def test_the_beginning_of_another_file_costs_a_second_try(server: Server, folder: Path) -> None:
    server.content = GOOD
    folder.mkdir(parents=True)
    (folder / "linux-4.1.52.tar.xz.part").write_bytes(BAD[:100])
    assert tarball.ensure(row(server), None, Recorder()).read_bytes() == GOOD
    assert server.ranges == ["bytes=100-", ""]


def test_the_users_copy(server: Server, tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.write_bytes(GOOD)
    assert tarball.ensure(row(server), own, Recorder()).read_bytes() == GOOD
    assert server.ranges == []


def test_another_file_of_the_users(server: Server, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.write_bytes(BAD)
    with pytest.raises(UserError, match=r"mine is not linux-4.1.52.tar.xz: its sha256 is .*leave --tarball out"):
        tarball.ensure(row(server), own, Recorder())
    assert files(folder) == []


def test_a_copy_that_cannot_be_read(server: Server, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*: Is a directory"):
        tarball.ensure(row(server), tmp_path, Recorder())
    assert files(folder) == []


def test_no_space_for_the_copy(
    server: Server, tmp_path: Path, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk("16k")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    own = tmp_path / "mine"
    own.write_bytes(GOOD * 10)
    with pytest.raises(Unusable, match=f"{disk}.*No space left on device"):
        tarball.ensure(row(server), own, Recorder())
    assert files(disk / "hil/sources") == []
