# SPDX-License-Identifier: MIT
"""The cache of kernels: filled once, verified when used, fetched again or refused when damaged."""

import errno
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hil import cache
from hil.arch import architecture
from hil.errors import BenchError, UserError
from hil.kernels import debian, entry, importing, store
from hil.kernels.entry import Parts

from .conftest import fill_with

ARM64 = architecture("arm64")


@pytest.fixture
def archive(cached: Path, build: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Debian's archive has a kernel; gives the list of requests for it."""
    requests: list[str] = []
    fill = fill_with(build("arm64", "6.1.192", "6.1.0-56-cloud-arm64", modules=True), "6.1.0-56-cloud-arm64", "6.1.192")

    def counted(folder: Path, *rest: object) -> None:
        requests.append(folder.name)
        fill(folder, *rest)

    monkeypatch.setattr(debian, "fill", counted)
    return requests


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def test_a_kernel_is_fetched_once(archive: list[str], cached: Path) -> None:
    kernel = store.get("debian-12", ARM64)
    assert store.get("debian-12", ARM64) == kernel
    assert len(archive) == 1
    assert (kernel.era, kernel.version, kernel.release) == ("6.1", "6.1.192", "6.1.0-56-cloud-arm64")
    assert kernel.folder == cached / "debian-12/arm64"
    assert kernel.provenance["sha256"]["image"] == entry.sha256(kernel.image)


@pytest.mark.parametrize("part", ["image", "config", "metadata.json"])
def test_a_damaged_kernel_is_fetched_again(archive: list[str], cached: Path, part: str) -> None:
    kernel = store.get("debian-12", ARM64)
    damage(kernel.folder / part)
    messages: list[str] = []
    again = store.get("debian-12", ARM64, notify=messages.append)
    assert len(archive) == 2
    assert again == kernel
    assert "damaged" in messages[0]


def test_a_missing_file_counts_as_damage(archive: list[str], cached: Path) -> None:
    kernel = store.get("debian-12", ARM64)
    kernel.folder.chmod(0o755)
    kernel.config.unlink()
    store.get("debian-12", ARM64)
    assert len(archive) == 2


def test_metadata_cannot_be_changed_unnoticed(archive: list[str], cached: Path) -> None:
    path = store.get("debian-12", ARM64).folder / entry.METADATA
    changed = {**json.loads(path.read_text()), "release": "6.1.0-99"}
    path.chmod(0o644)
    path.write_text(json.dumps(changed))
    with pytest.raises(BenchError, match=r"digest.*hil kernels remove debian-12 --arch arm64` and fetch it again"):
        store.find("debian-12", ARM64)


@pytest.mark.parametrize("text", ["", "[]", "[1]", "1", "{}", '{"digest": 1}', "\x00"])
def test_metadata_of_any_other_shape_are_damage(archive: list[str], cached: Path, text: str) -> None:
    path = store.get("debian-12", ARM64).folder / entry.METADATA
    path.chmod(0o644)
    path.write_text(text)
    with pytest.raises(cache.Damaged, match="damaged"):
        entry.metadata_of(path.parent)


def test_a_damaged_module_is_fetched_again(archive: list[str], cached: Path) -> None:
    kernel = store.get("debian-12", ARM64)
    assert kernel.modules is not None
    module = next(path for path in kernel.modules.rglob("*") if path.is_file())
    whole = module.read_bytes()
    damage(module)
    entry._check_once.cache_clear()  # as another process begins
    assert store.get("debian-12", ARM64) == kernel
    assert module.read_bytes() == whole
    assert len(archive) == 2


def test_an_entry_without_a_seal_is_fetched_again(archive: list[str], cached: Path) -> None:
    """A kernel without a seal is damaged, because its modules cannot be verified."""
    kernel = store.get("debian-12", ARM64)
    kernel.folder.chmod(0o755)
    (kernel.folder / "sha256sums").unlink()
    entry._check_once.cache_clear()
    assert store.get("debian-12", ARM64) == kernel
    assert len(archive) == 2
    assert (kernel.folder / "sha256sums").exists()


def test_what_cannot_be_read_of_a_kernel_we_fetch_is_left_to_who_boots_it(archive: list[str], cached: Path) -> None:
    path = store.get("debian-12", ARM64).folder / entry.METADATA
    path.chmod(0o644)
    path.write_text("{}")
    assert store.distribution("debian-12", ARM64) is None
    assert store.cached_version_code("debian-12", ARM64) is None


@pytest.mark.parametrize("part", ["image", "metadata.json"])
def test_an_unreadable_kernel_is_reported_and_stays(
    archive: list[str], cached: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.get("debian-12", ARM64).folder
    before = Path.open

    def fail(path: Path, *rest: object, **named: object) -> object:
        if path == folder / part:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return before(path, *rest, **named)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        for use in (store.get, store.find):
            with pytest.raises(cache.Unusable, match=rf"{part}: Input/output error"):
                use("debian-12", ARM64)
    assert len(archive) == 1
    assert store.get("debian-12", ARM64).folder == folder


def test_a_damaged_import_is_never_thrown_away(cached: Path, build: Callable[..., Parts]) -> None:
    kernel = importing.add("linux-4.1", build("arm64"))
    damage(kernel.image)
    with pytest.raises(BenchError, match=r"damaged.*import it again"):
        store.get("linux-4.1", ARM64)
    assert kernel.image.exists()


def test_an_imported_kernel_is_not_replaced_by_a_fetch(archive: list[str], build: Callable[..., Parts]) -> None:
    importing.add("debian-12", build("arm64", "6.1.1"))
    with pytest.raises(UserError, match="imported"):
        store.fetch("debian-12", ARM64)
    assert store.get("debian-12", ARM64).version == "6.1.1"
    assert archive == []


def test_two_processes_fetch_once(cached: Path, build: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch) -> None:
    log = cached.parent.parent / "log"
    fill = fill_with(build("arm64", "6.1.192"), "6.1.192", "6.1.192")

    def slow(folder: Path, *rest: object) -> None:
        with log.open("a") as file:
            file.write("fetched\n")
        time.sleep(0.3)  # long enough for the other process to arrive
        fill(folder, *rest)

    monkeypatch.setattr(debian, "fill", slow)
    cached.mkdir(parents=True)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=store.get, args=("debian-12", ARM64)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.read_text() == "fetched\n"
    assert store.find("debian-12", ARM64) is not None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_cache_that_cannot_be_written_is_one_error_and_no_half_entry(
    archive: list[str], cached: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(source: Path, target: Path) -> None:
        target.touch()
        raise OSError(number, os.strerror(number), str(target))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(cache.Unusable, match=os.strerror(number)):
        store.get("debian-12", ARM64)
    assert [path.name for path in (cached / "debian-12").iterdir()] == [".arm64.lock"]


def test_without_network_the_error_names_the_kernel_and_the_way_out(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise BenchError("cannot fetch the package lists", remedy="check the network", details="apt said")

    monkeypatch.setattr(debian, "fill", unreachable)
    with pytest.raises(BenchError) as caught:
        store.get("debian-12", ARM64)
    for text in ("debian-12/arm64", "package lists", "check the network", "hil kernels import debian-12"):
        assert text in str(caught.value)
    assert caught.value.details == "apt said"
    assert [path.name for path in (cached / "debian-12").iterdir()] == [".arm64.lock"]


@pytest.mark.parametrize("get", [store.get, store.fetch])
def test_an_unknown_name_leaves_nothing(cached: Path, get: Callable[..., object]) -> None:
    with pytest.raises(UserError, match="there is no kernel 'absent'"):
        get("absent", ARM64)
    assert not cached.exists()


def test_sources_alone_are_no_kernel(cached: Path) -> None:
    with pytest.raises(UserError, match=r"linux-4\.1/arm64.*hil kernels import linux-4\.1"):
        store.get("linux-4.1", ARM64)
    assert not cached.exists()


def test_remove(archive: list[str], cached: Path) -> None:
    store.get("debian-12", ARM64)
    assert store.remove("debian-12", ARM64)
    assert not store.remove("debian-12", ARM64)
    assert store.find("debian-12", ARM64) is None
    assert not (store.root() / "debian-12").exists(), "neither a folder nor a lock is left"


def test_names_are_the_catalogue_and_what_was_imported(cached: Path, build: Callable[..., Parts]) -> None:
    importing.add("mine", build("arm64", "5.15.3"))
    names = [f"{name}/{arch}" for name, arch in store.names()]
    assert names[0] == "linux-4.1/x86_64"
    assert names[-1] == "mine/arm64"
    assert store.get("mine", ARM64).era == "5.15"


def test_an_era_is_known_without_a_look_at_the_image(cached: Path, build: Callable[..., Parts]) -> None:
    kernel = importing.add("mine", build("arm64", "5.15.3"))
    damage(kernel.image)
    assert store.era("mine", ARM64) == "5.15"
    assert store.era("debian-12", ARM64) == "6.1"


def test_a_point_release_is_an_entry_of_its_own(archive: list[str], cached: Path) -> None:
    kernel = store.get("debian-12@6.1.192", ARM64)
    assert (kernel.name, kernel.era, kernel.folder) == (
        "debian-12@6.1.192", "6.1", cached / "debian-12@6.1.192/arm64",
    )  # fmt: skip
    assert kernel.version_code == 6 << 16 | 1 << 8 | 192
    assert store.get("debian-12@6.1.192", ARM64) == kernel
    store.get("debian-12", ARM64)
    assert len(archive) == 2
    damage(kernel.image)
    assert store.get("debian-12@6.1.192", ARM64) == kernel
    assert len(archive) == 3, "what is damaged is fetched again"


def test_point_releases_are_no_lanes_of_their_own_accord(archive: list[str]) -> None:
    before = list(store.names())
    store.get("debian-12@6.1.192", ARM64)
    assert list(store.names()) == before
    assert list(store.points()) == [("debian-12@6.1.192", ARM64)]


def test_version_and_release_of_a_point_release_are_in_its_name(cached: Path) -> None:
    assert store.version("debian-12@6.1.170-1", ARM64) == "6.1.170"
    assert store.era("debian-12@6.1.170-1", ARM64) == "6.1"
    assert store.era("debian-13@6.16.3", ARM64) == "6.16"


def test_no_imported_kernel_can_have_the_name_of_a_point_release(cached: Path, build: Callable[..., Parts]) -> None:
    with pytest.raises(UserError, match="kernel of Debian's archive"):
        importing.add("debian-12@6.1.5", build("arm64", "6.1.5"))
