# SPDX-License-Identifier: MIT
"""What a shell offers, asked as bash asks, and what the help says."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from harness.clauses import clauses
from harness.history.store import History
from harness.jobs import completing
from harness.run.results import RunReport
from hil.arch import architectures_with
from hil.cli import hil
from hil.errors import HilError
from hil.help import first_sentence
from hil.kernels import catalogue

_LANES = {"boot", "debug", "shell"}
"""Commands whose argument is a lane."""


def offered(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash is offered at the end of `line`."""
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    complete = BashComplete(hil, {}, "hil", "_HIL_COMPLETE")
    arguments, typed = complete.get_completion_args()
    return [item.value for item in complete.get_completions(arguments, typed)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hil doc", "doctor"),
        ("hil run --lanes debian-12/a", "debian-12/arm64"),
        ("hil run --lanes debian-13,debian-12/arm64/j", "debian-13,debian-12/arm64/jit"),
        ("hil check probe.o --lanes linux-4.1/x", "linux-4.1/x86_64/interp"),
        ("hil run --kernel debian-1", "debian-12"),
        ("hil run --scripts counting,look", "counting,lookup"),
        ("hil conform --clauses ATTACH-0", "ATTACH-02"),
        ("hil conform --require linux", "linux-4.1"),
        ("hil show attach-t", "attach-twice"),
        ("hil debug --lockstep jmp", "jmp32-pointer-zero"),
        ("hil debug --script jmp", "jmp32-pointer-zero"),
        ("hil debug --lockstep count", "counting"),
        ("hil show DET-0", "DET-02"),
        ("hil debug debian-12/arm64/", "debian-12/arm64/jit"),
        ("hil debug --lockstep DET-0", "DET-02"),
        ("hil shell debian-12/arm64/", "debian-12/arm64/interp"),
        ("hil boot debian-12/arm64/", "debian-12/arm64/interp"),
        ("hil bisect ATTACH-0", "ATTACH-02"),
        ("hil bisect x --good debian-1", "debian-13"),
        ("hil plugin --lane debian-12/arm64/", "debian-12/arm64/jit"),
        ("hil kernels fetch deb", "debian-12"),
        ("hil kernels fetch --arch a", "arm64"),
        ("hil report l", "latest"),
        ("hil compare l", "latest"),
        ("hil baseline l", "latest"),
        ("hil history show l", "latest"),
        ("hil cache prune s", "states"),
    ],
)
def test_names_are_offered(line: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert expected in offered(line, monkeypatch)


def test_runs_of_the_history_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    number = History().record(RunReport("2026-01-01", 1.0, (), (), (), {}, ()), tmp_path)
    assert offered("hil report ", monkeypatch) == ["latest", str(number)]


def test_a_history_that_cannot_be_read_offers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "history.sqlite").write_text("no database")
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    assert offered("hil report ", monkeypatch) == []


def test_every_clause_is_offered() -> None:
    places = {
        (arch.name, known.era) for known in catalogue.entries().values() for arch in architectures_with(known.name)
    }
    assert set(completing.clause_names()) == {clause.id for place in places for clause in clauses(*place)}


def commands() -> dict[str, click.Command]:
    return {entry.name: entry.load() for entry in entry_points(group="hil.commands")}


def test_the_lanes_are_told_in_the_same_words_everywhere() -> None:
    found = {
        (one.help, one.metavar, one.default)
        for command in commands().values()
        for one in command.params
        if isinstance(one, click.Option) and "--lanes" in one.opts
    }
    assert len(found) == 1


def test_whatever_names_a_lane_a_kernel_or_a_run_is_completed() -> None:
    names = {"lane", "lanes", "kernels", "run", "runs", "good", "bad"}
    silent = [
        (name, one.name)
        for name, command in commands().items()
        for one in command.params
        if one.name in names and one._custom_shell_complete is None
    ]
    assert not silent


def test_the_list_of_commands_is_not_cut() -> None:
    said = " ".join(CliRunner().invoke(hil, ["--help"]).stdout.split())
    assert "..." not in said.partition("Commands:")[2]
    for name, command in commands().items():
        assert f"{name} {first_sentence(command.help or '')}" in said
    assert "..." not in CliRunner().invoke(hil, ["kernels", "--help"]).stdout.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["runn"], "'run'"),
        (["run", "--lanes", "debain-12"], "'debian-12'"),
        (["run", "--lanes", "debian-12/x86/jit"], "'debian-12/x86_64/jit'"),
        (["run", "--lanes", "*/arm"], "'*/arm64'"),
        (["run", "--scripts", "countin"], "'counting'"),
        (["conform", "--lanes", "debian-12/arm64/jit", "--clauses", "ATTACH17"], "'ATTACH-17'"),
        (["kernels", "list", "debain-12"], "'debian-12'"),
        (["kernels", "fetch", "debian-12", "--arch", "amd64"], "'arm64'"),
        (["show", "countin"], "counting"),
        (["kernels", "lst"], "'list'"),
    ],
)
def test_a_mistyped_name_is_told_with_what_was_meant(arguments: list[str], meant: str) -> None:
    with pytest.raises((HilError, click.UsageError)) as caught:
        CliRunner().invoke(hil, arguments, standalone_mode=False, catch_exceptions=False)
    said = caught.value.format_message() if isinstance(caught.value, click.UsageError) else str(caught.value)
    assert meant in said
