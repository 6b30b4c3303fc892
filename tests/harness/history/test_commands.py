# SPDX-License-Identifier: MIT
"""`hil history` as users meet it."""

from __future__ import annotations

import json
import shlex
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from harness.history.commands import history
from harness.history.find import find
from harness.history.store import History
from harness.run.results import FORMAT
from hil.errors import BenchError, UserError
from tests.harness.reports import agreeing, everything


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs in the history; the folder of the second."""
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    folder = tmp_path / "runs" / "two"
    folder.mkdir(parents=True)
    everything().write(folder / "results.json")
    History().record(agreeing(), tmp_path / "runs" / "gone")
    History().record(everything(), folder)
    return folder


def hil(*arguments: str) -> str:
    return CliRunner().invoke(history, arguments, catch_exceptions=False, standalone_mode=False).output


def test_the_list() -> None:
    newest, older = hil("list").splitlines()[1:]
    assert newest.split()[:5] == ["2", "2026-01-02T03:04:05+00:00", "12", "3", "3"]
    assert "1 diverge" in newest and "hil run --lanes debian-12" in newest
    assert "9 agree" in older
    assert [entry["run"] for entry in json.loads(hil("list", "--json", "--limit", "1"))] == [2]


def test_a_run_is_shown_with_its_kernels() -> None:
    shown = hil("show", "2")
    assert "c0ffee" in shown and "QEMU 7.2.22" in shown
    assert "diverge: lookup on debian-12/x86_64/jit" in shown


def test_every_format_is_exported(tmp_path: Path) -> None:
    assert json.loads(hil("export", "2"))["lanes"] == list(everything().lanes)
    assert ElementTree.fromstring(hil("export", "2", "--format", "junit")).attrib["tests"] == "9"
    assert hil("export", "2", "--format", "ktap").startswith("KTAP version 1\n1..3\n")
    assert json.loads(hil("export", "2", "--format", "kcidb"))["version"]["major"] == 5
    hil("export", "latest", "-o", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["format"] == FORMAT


def test_a_run_is_found_by_number_folder_file_and_as_the_latest(recorded: Path) -> None:
    for name in ("2", "latest", str(recorded), str(recorded / "results.json")):
        found = find(name)
        assert found.report == everything()
        assert found.folder == recorded
    assert find("1").folder is None


def test_a_run_outlives_its_folder(recorded: Path) -> None:
    shutil.rmtree(recorded)
    assert find("2").report == everything()


def test_what_is_no_run(tmp_path: Path) -> None:
    for name in ("3", "yesterday", str(tmp_path)):
        with pytest.raises(UserError):
            find(name)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 200])
def test_a_number_no_history_has_is_no_run(number: str) -> None:
    with pytest.raises(UserError, match="there is no run"):
        hil("show", number)


def test_what_looks_like_markup_is_shown_as_it_is(recorded: Path) -> None:
    odd = "hil conform --output '/runs/[/red]'"
    machines = tuple(replace(machine, uname="Linux [bold]6.1[/green]") for machine in everything().machines)
    History().record(replace(everything(), command=tuple(shlex.split(odd)), machines=machines), recorded)
    assert odd in hil("list") and odd in hil("show", "latest")
    assert "Linux [bold]6.1[/green]" in hil("show", "latest")


@pytest.mark.parametrize(
    "damage",
    ["json_set(report, '$.results[0].verdict', 'perhaps')", "json_remove(report, '$.command')"],
)
def test_a_run_of_another_release_is_told_in_a_line(damage: str) -> None:
    with closing(sqlite3.connect(History().path)) as connection, connection:
        connection.execute(f"UPDATE run SET report = {damage} WHERE id = 2")
    with pytest.raises(BenchError, match=r"has a run 2 this hil cannot read: .*use a newer hil"):
        hil("list")
