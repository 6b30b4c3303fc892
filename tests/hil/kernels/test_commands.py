"""`hil kernels` as scripts and people use it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hil.errors import BenchError, UserError
from hil.kernels import debian
from hil.kernels.commands import kernels
from hil.kernels.entry import Parts

from .conftest import fill_with

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


def test_fetch_says_what_it_has(archive: None) -> None:
    result = run("fetch", "debian-12", "--arch", "arm64")
    assert "debian-12/arm64: Linux 6.1.192 (6.1.0-56-cloud-arm64)" in result.stdout


def test_fetch_of_all_skips_what_only_can_be_imported(archive: None) -> None:
    assert "linux-4.1" not in run("fetch", "--arch", "arm64").output


def test_fetch_goes_on_after_a_failure_and_counts(archive: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = debian.fill

    def one_fails(folder: Path, known: object, *rest: object) -> None:
        if getattr(known, "name", "") == "debian-11":
            raise BenchError("gone")
        fill(folder, known, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(debian, "fill", one_fails)
    with pytest.raises(BenchError, match="1 of 2 kernels"):
        run("fetch", "debian-11", "debian-12", "--arch", "arm64")
    assert states()["debian-12/arm64"] == "cached"


def test_show_tells_release_and_provenance(cached: Path, build: Build) -> None:
    import_41(build())
    shown = json.loads(run("show", "linux-4.1", "--json").stdout)
    assert [(one["arch"], one["release"], one["era"]) for one in shown] == [("x86_64", "4.1.52", "4.1")]
    assert "source: imported" in run("show", "linux-4.1").stdout


def test_remove(cached: Path, build: Build) -> None:
    import_41(build())
    assert run("remove", "linux-4.1").stdout == "removed linux-4.1/x86_64\n"
    with pytest.raises(UserError, match=r"no kernel linux-4\.1 is at hand"):
        run("remove", "linux-4.1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fetch", "debian-10", "--arch", "arm64"), "there is no kernel 'debian-10'"),
        (("fetch", "debian-12", "--arch", "riscv64"), "unknown architecture 'riscv64'"),
        (("show", "debian-12"), "no kernel debian-12 is at hand"),
        (("show", "../../etc"), "no name for a kernel"),
        (("remove", ".."), "no name for a kernel"),
    ],
)
def test_mistakes(cached: Path, arguments: tuple[str, ...], complaint: str) -> None:
    cached.mkdir(parents=True)
    with pytest.raises(UserError, match=complaint):
        run(*arguments)
