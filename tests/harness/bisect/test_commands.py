# SPDX-License-Identifier: MIT
"""`hil bisect` from its options to its exit status, with machines that are not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from harness.bisect.asking import Asker
from harness.bisect.commands import command
from harness.script.operations import LookupElement, Operation
from harness.script.outcome import Outcome
from hil.errors import BenchError, MachineLost, UserError
from hil.kernels.points import order
from tests.fakes import FakeExecutor, FakeTarget, fake_kernel, replace_machines
from tests.hil.kernels.archive import debian_archive

__all__ = ["debian_archive"]
COUNT = 16
FAULTY = order("6.12.7")
"""From here on a map has something else in it."""


class Bench:
    """Kernels 6.12.0 to 6.12.15 of debian-13. `booted` are those that were; `dies` says which of them dies booting,
    given how often it was tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.booted: list[str] = []
        self.dies: Callable[[str, int], bool] = lambda name, times: False
        bench = self

        class Target(FakeTarget):
            command = ("qemu",)

            def __enter__(self) -> FakeTarget:
                assert self.spec is not None
                name = self.spec.kernel.name
                bench.booted.append(name)
                if bench.dies(name, bench.booted.count(name)):
                    raise MachineLost(f"{name} does not boot")
                return super().__enter__()

        def executor(target: Any, guest: Any, **_: Any) -> FakeExecutor:
            newer = order(target.spec.kernel.name.partition("@")[2]) >= FAULTY

            def says(operation: Operation) -> Outcome:
                return Outcome(value=0, data=bytes([newer] * 8) if isinstance(operation, LookupElement) else None)

            return FakeExecutor(target, guest, says=says)

        replace_machines(
            monkeypatch, target=Target, executor=executor, kernel=lambda name, arch, **_: fake_kernel(name)
        )


@pytest.fixture
def bench(tmp_path: Path, debian_archive: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Bench:
    debian_archive["trixie"] = [(f"linux-image-6.12.{n}+deb13-cloud-arm64", f"6.12.{n}-1") for n in range(COUNT)]
    debian_archive["trixie-backports"] = []
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    monkeypatch.setattr("hil.signals.defer", lambda: None)  # this process is no bench
    return Bench(monkeypatch)


def run(tmp_path: Path, *more: str, good: str = "debian-13@6.12.0", bad: str = "debian-13@6.12.15") -> Result:
    words = ["counting", "--good", good, "--bad", bad, "--arch", "arm64", "--output", str(tmp_path / "runs"), *more]
    return CliRunner().invoke(command, words, standalone_mode=False)


def data(result: Result) -> dict[str, Any]:
    assert result.exception is None, result.exception
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_the_first_bad_release(bench: Bench, tmp_path: Path) -> None:
    told = data(run(tmp_path, "--json"))
    assert (told["first"], told["which"], told["suspects"]) == ("debian-13@6.12.7", "bad", [])
    assert told["boots"] == len(bench.booted) <= 6
    folder = Path(told["folder"])
    assert {"results.json", "report.html", "bisect.json"} <= {path.name for path in folder.iterdir()}
    assert json.loads((folder / "bisect.json").read_text())["first"] == "debian-13@6.12.7"
    assert len(json.loads((folder / "results.json").read_text())["results"]) == told["boots"]


def test_the_first_good_release_is_the_same_search(bench: Bench, tmp_path: Path) -> None:
    result = run(tmp_path, good="debian-13@6.12.15", bad="debian-13@6.12.0")
    assert result.return_value == 0
    assert "the first good release is debian-13@6.12.7 (" in result.output


def test_what_was_answered_is_not_asked_again(bench: Bench, tmp_path: Path) -> None:
    run(tmp_path)
    asked = len(bench.booted)
    again = run(tmp_path)
    assert len(bench.booted) == asked
    assert again.return_value == 0
    assert "0 boots for 16 kernels" in again.output
    assert "run folder" not in again.output, "nothing was run"
    run(tmp_path, "--afresh")
    assert len(bench.booted) == 2 * asked


def test_an_interrupted_search_goes_on_where_it_was(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Asker.ask

    def interrupted(self: Asker, *arguments: Any) -> Any:
        if len(bench.booted) == 3:
            raise KeyboardInterrupt
        return ask(self, *arguments)

    monkeypatch.setattr(Asker, "ask", interrupted)
    with pytest.raises(click.Abort):
        command.main(
            ["counting", "--good", "debian-13@6.12.0", "--bad", "debian-13@6.12.15", "--arch", "arm64",
             "--output", str(tmp_path / "runs")],
            standalone_mode=False,
        )  # fmt: skip
    (results,) = (tmp_path / "runs").glob("2*/results.json")
    assert json.loads(results.read_text())["interrupted"]
    monkeypatch.setattr(Asker, "ask", ask)
    assert data(run(tmp_path, "--json"))["first"] == "debian-13@6.12.7"
    assert len(bench.booted) == len(set(bench.booted)), "none was booted twice"


def test_a_kernel_that_does_not_boot_is_tried_once_more_and_skipped(bench: Bench, tmp_path: Path) -> None:
    bench.dies = lambda name, _: name == "debian-13@6.12.8"
    told = data(run(tmp_path, "--json"))
    assert told["first"] == "debian-13@6.12.7" and bench.booted.count("debian-13@6.12.8") == 2
    row = next(row for row in told["asked"] if row["kernel"] == "debian-13@6.12.8")
    assert (row["behaves"], row["asked"]) == ("skipped", "booted 2 times")
    assert "does not boot" in row["what it gave"]


def test_a_machine_that_died_by_chance_costs_one_boot(bench: Bench, tmp_path: Path) -> None:
    bench.dies = lambda name, times: name == "debian-13@6.12.15" and times == 1
    told = data(run(tmp_path, "--json"))
    assert told["first"] == "debian-13@6.12.7"
    assert told["boots"] == len(bench.booted)


def test_where_it_turned_among_skipped_ones_that_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.dies = lambda name, _: name in ("debian-13@6.12.6", "debian-13@6.12.7")
    result = run(tmp_path)
    assert result.return_value == 3
    assert "is one of debian-13@6.12.6, debian-13@6.12.7, debian-13@6.12.8" in result.output


def test_an_end_that_does_not_boot_is_an_error(bench: Bench, tmp_path: Path) -> None:
    bench.dies = lambda name, _: name == "debian-13@6.12.0"
    result = run(tmp_path)
    assert isinstance(result.exception, BenchError)
    assert "debian-13@6.12.0 cannot be asked" in str(result.exception)


def test_ends_that_behave_alike_are_nothing_to_search(bench: Bench, tmp_path: Path) -> None:
    result = run(tmp_path, good="debian-13@6.12.0", bad="debian-13@6.12.5")
    assert result.return_value == 1
    assert "behave alike" in result.output
    assert len(bench.booted) == 2


def test_a_script_that_there_is_not_is_told_before_anything_boots(bench: Bench, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        command, ["counting-x", "--good", "6.12.0", "--bad", "6.12.15", "--arch", "arm64"], standalone_mode=False
    )
    assert isinstance(result.exception, UserError) and "counting-x" in str(result.exception)
    assert not bench.booted
