# SPDX-License-Identifier: MIT
"""Files to and from a target; this host's tar stands for that of the target."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from hil import copying
from hil.errors import BenchError, UserError
from hil.target import Completed
from tests.fakes import FakeTarget


def test_of_a_link_its_file_is_copied_by_the_name_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("content")
    (tmp_path / "link").symlink_to("real")
    there = tmp_path / "there"
    there.mkdir()
    with FakeTarget() as target:
        copying.to_target(target, copying.named([tmp_path / "link"]), str(there))
    assert (there / "link").read_text() == "content" and not (there / "link").is_symlink()
    assert [file.name for file in there.iterdir()] == ["link"]


def test_links_in_a_folder_stay_links(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "real").write_text("content")
    (folder / "link").symlink_to("real")
    with tarfile.open(fileobj=io.BytesIO(copying.archive({"here": folder}))) as tar:
        assert tar.getmember("here/link").linkname == "real"


@pytest.mark.parametrize("target", ["gone", "loop"])
def test_a_link_that_leads_nowhere_is_an_error(target: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(target)
    with pytest.raises(UserError, match="cannot read"):
        copying.archive({"loop": tmp_path / "loop"})


def test_two_of_one_name_are_an_error() -> None:
    with pytest.raises(UserError, match=r"a/x and b/x have the same name x; copy one after the other"):
        copying.named([Path("a/x"), Path("b/x")])


def test_what_has_no_name_is_an_error() -> None:
    with pytest.raises(UserError, match="has no name to copy it to"):
        copying.named([Path("/")])


def test_what_would_land_elsewhere_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def run(self, *_: object, **__: object) -> Completed:
            made = io.BytesIO()
            with tarfile.open(fileobj=made, mode="w") as tar:
                tar.addfile(tarfile.TarInfo("../elsewhere"))
            return Completed(0, made.getvalue(), b"")

    with pytest.raises(BenchError, match=r"cannot copy /hil/x to .*elsewhere"):
        copying.from_target(Hostile(), ["/hil/x"], tmp_path)


class Tar:
    """A target whose tar answers with these bytes."""

    def __init__(self, said: bytes) -> None:
        self.said = said
        self.argv: Sequence[str] = ()

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        self.argv = argv
        return Completed(0, self.said, b"")


def packed(*members: tarfile.TarInfo) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for member in members:
            tar.addfile(member)
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def test_what_is_no_file_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    said = packed(
        member("./log/pipe", tarfile.FIFOTYPE),
        member("./log/null", tarfile.CHRTYPE),
        member("./log/good"),
    )
    left = copying.from_target(Tar(said), ["/hil/log"], folder)
    assert left == ["/hil/log/pipe", "/hil/log/null"]
    assert [one.name for one in (folder / "log").iterdir()] == ["good"]
    assert [one.name for one in tmp_path.iterdir()] == ["files"]


def test_a_name_is_no_option(tmp_path: Path) -> None:
    target = Tar(packed(member("./-x")))
    assert copying.from_target(target, ["/hil/-x"], tmp_path) == []
    assert target.argv[-1] == "./-x"


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot copy /hil/log to "):
        copying.from_target(Tar(b"no archive" * 100), ["/hil/log"], tmp_path)
