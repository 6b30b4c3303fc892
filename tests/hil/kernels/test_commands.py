# SPDX-License-Identifier: MIT
"""`hil kernels` as used by scripts and people."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hil.arch import architecture
from hil.errors import BenchError, UserError
from hil.kernels import debian, entry
from hil.kernels.catalogue import Entry
from hil.kernels.commands import kernels
from hil.kernels.entry import Parts

from .archive import debian_archive
from .conftest import fill_with

__all__ = ["debian_archive"]

Build = Callable[..., Parts]


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(kernels, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def archive(cached: Path, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "fill", fill_with(build("arm64", "6.1.192"), "6.1.0-56-cloud-arm64", "6.1.192"))


def import_41(parts: Parts) -> Result:
    return run("import", "linux-4.1", "--image", str(parts.image), "--config", str(parts.config))


def states() -> dict[str, str]:
    return {f"{row['name']}/{row['arch']}": row["state"] for row in json.loads(run("list", "--json").stdout)}


def test_states(archive: None, build: Build) -> None:
    assert states()["debian-12/arm64"] == "available"
    assert states()["linux-4.1/x86_64"] == "not available: build or import it"
    run("fetch", "debian-12", "--arch", "arm64")
    import_41(build())
    assert states()["debian-12/arm64"] == "cached"
    assert states()["debian-12/x86_64"] == "available"
    assert states()["linux-4.1/x86_64"] == "cached"


def test_a_damaged_kernel_is_listed_as_such(archive: None, cached: Path) -> None:
    run("fetch", "debian-12", "--arch", "arm64")
    path = cached / "debian-12/arm64/metadata.json"
    path.chmod(0o644)
    path.write_text("{}")
    assert states()["debian-12/arm64"] == "damaged"


def test_the_table_has_a_line_a_kernel(archive: None) -> None:
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["name", "arch", "era", "version", "state", "source"]
    assert any(line.split()[:3] == ["debian-sid", "arm64", "7.2"] for line in lines)


def test_fetch_prints_what_it_fetched(archive: None) -> None:
    result = run("fetch", "debian-12", "--arch", "arm64")
    assert "debian-12/arm64: Linux 6.1.192 (6.1.0-56-cloud-arm64)" in result.stdout


def test_fetch_of_all_skips_what_only_can_be_imported(archive: None) -> None:
    assert "linux-4.1" not in run("fetch", "--arch", "arm64").output


def test_fetch_continues_after_a_failure_and_counts(archive: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = debian.fill

    def one_fails(folder: Path, known: object, *rest: object) -> None:
        if getattr(known, "name", "") == "debian-11":
            raise BenchError("gone")
        fill(folder, known, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(debian, "fill", one_fails)
    with pytest.raises(BenchError, match="1 of 2 kernels"):
        run("fetch", "debian-11", "debian-12", "--arch", "arm64")
    assert states()["debian-12/arm64"] == "cached"


def test_every_version_is_listed_with_its_suite_and_state(
    archive: None, debian_archive: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("fetch", "debian-12@6.1.192", "--arch", "arm64")
    rows = json.loads(run("list", "debian-12", "--all", "--arch", "arm64", "--json").stdout)
    assert {"name": "debian-12@6.12.43", "arch": "arm64", "version": "6.12.43-1~bpo12+1",
            "suite": "bookworm-backports", "state": "available"} in rows  # fmt: skip
    assert "debian-12@6.1.192/arm64" in states()
    lines = run("list", "--all").stdout.splitlines()
    assert lines[0].split() == ["name", "arch", "version", "suite", "state"]
    assert {line.split()[0].partition("@")[0] for line in lines[1:]} == {
        "debian-11", "debian-12", "debian-13", "debian-sid",
    }  # fmt: skip


def test_a_cached_version_is_recognized_by_its_package(
    cached: Path, build: Build, debian_archive: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = build("arm64", "6.1.192")

    def fill(folder: Path, known: Entry, *_: object) -> None:
        provenance = {"source": "debian", "packages": [{"sha256": "sha256 of 6.1.192-2"}]}
        entry.write(folder, known.name, architecture("arm64"), parts, "6.1.0-56-cloud-arm64", "6.1.192", provenance)

    def state() -> str:
        rows = json.loads(run("list", "debian-12", "--all", "--arch", "arm64", "--json").stdout)
        return next(row["state"] for row in rows if row["name"] == "debian-12@6.1.192")

    monkeypatch.setattr(debian, "fill", fill)
    run("fetch", "debian-12", "--arch", "arm64")
    assert state() == "cached as debian-12"
    run("fetch", "debian-12@6.1.192", "--arch", "arm64")
    assert state() == "cached"


def test_the_list_can_be_about_some_kernels_only(archive: None) -> None:
    rows = json.loads(run("list", "debian-12", "debian-13@6.12.90", "--arch", "arm64", "--json").stdout)
    assert [(row["name"], row["state"]) for row in rows] == [
        ("debian-12", "available"),
        ("debian-13@6.12.90", "available"),
    ]


def test_show_prints_release_and_provenance(cached: Path, build: Build) -> None:
    import_41(build())
    shown = json.loads(run("show", "linux-4.1", "--json").stdout)
    assert [(one["arch"], one["release"], one["era"]) for one in shown] == [("x86_64", "4.1.52", "4.1")]
    assert "source: imported" in run("show", "linux-4.1").stdout


def test_remove(cached: Path, build: Build) -> None:
    import_41(build())
    assert run("remove", "linux-4.1").stdout == "removed linux-4.1/x86_64\n"
    with pytest.raises(UserError, match=r"no kernel linux-4\.1 is in the cache"):
        run("remove", "linux-4.1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fetch", "debian-10", "--arch", "arm64"), "there is no kernel 'debian-10'"),
        (("fetch", "debian-12", "--arch", "s390x"), "unknown architecture 's390x'"),
        (
            ("fetch", "debian-12", "--arch", "riscv64"),
            "there is no debian-12 for riscv64: Debian has",
        ),
        (
            ("fetch", "debian-12@6.1.170", "--arch", "riscv64"),
            "there is no debian-12.* for riscv64: Debian has",
        ),
        (("list", "debian-10"), "there is no kernel 'debian-10'"),
        (("list", "linux-4.1", "--all"), "one version only"),
        (("fetch", "debian-12@six", "--arch", "arm64"), "names no version"),
        (("show", "debian-12"), "no kernel debian-12 is in the cache"),
        (("show", "../../etc"), "not a valid name of a kernel"),
        (("remove", ".."), "not a valid name of a kernel"),
    ],
)
def test_mistakes(cached: Path, arguments: tuple[str, ...], complaint: str) -> None:
    cached.mkdir(parents=True)
    with pytest.raises(UserError, match=complaint):
        run(*arguments)
