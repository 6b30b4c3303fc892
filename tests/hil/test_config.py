# SPDX-License-Identifier: MIT
"""Defaults for options: from files and variables, beneath the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from hil import config, settings
from hil.cli import hil
from hil.config import Shared, shared
from hil.errors import BenchError, UserError


@click.command()
@shared("--lanes", default="debian-12")
@shared("--jobs", type=click.IntRange(1))
@shared("--strict/--no-strict")
@shared("--require", multiple=True)
@shared("--repeat", "rounds", default=1)
@shared("--output", type=click.Path(path_type=Path))
@click.option("--file", multiple=True, type=click.Path(path_type=Path))
@click.option("--seed", type=int)
def work(**given: Any) -> None:
    """Print what it got."""
    click.echo(json.dumps(given, default=str))


@click.command()
@click.option("--jobs", help="No shared option, though its name is the same.")
def rest(**given: Any) -> None:
    """Print what it got."""
    click.echo(json.dumps(given))


@click.group()
@click.pass_context
def group(context: click.Context) -> None:
    assert isinstance(context.command, click.Group)
    context.default_map = config.defaults(context.command, context)


@group.group()
def inner() -> None:
    """A group in the group."""


group.add_command(work)
group.add_command(rest)
inner.add_command(work)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, with the current folder two below it, and an empty folder of the user's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in settings.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project/deep/down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project/deep/down")
    return tmp_path / "project"


def write(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(text)


def user(project: Path, text: str) -> None:
    folder = project.parent / "config/hil"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)


def got(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(group, arguments, catch_exceptions=False, standalone_mode=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_without_files_there_are_the_commands_own_defaults(project: Path) -> None:
    assert got("work") == {
        "lanes": "debian-12", "jobs": None, "strict": False, "require": [], "rounds": 1, "output": None, "seed": None,
        "file": [],
    }  # fmt: skip


def test_a_project_has_defaults_for_every_command_and_for_one(project: Path) -> None:
    write(
        project, '[tool.hil]\nlanes = "a"\njobs = 2\nstrict = true\nrepeat = 3\n[tool.hil.work]\nseed = 7\njobs = 4\n'
    )
    found = got("work")
    assert (found["lanes"], found["jobs"], found["strict"], found["rounds"], found["seed"]) == ("a", 4, True, 3, 7)
    assert got("rest") == {"jobs": None}
    assert got("inner", "work")["jobs"] == 2


def test_a_command_in_a_group_has_a_table_in_the_groups(project: Path) -> None:
    write(project, "[tool.hil.inner.work]\nseed = 5\n")
    assert got("inner", "work")["seed"] == 5
    assert got("work")["seed"] is None


def test_lists_are_lists_or_texts_with_commas(project: Path) -> None:
    write(project, '[tool.hil]\nlanes = ["a", "b/*"]\nrequire = ["a", "b"]\n')
    assert (got("work")["lanes"], got("work")["require"]) == ("a,b/*", ["a", "b"])
    write(project, '[tool.hil]\nrequire = "a"\n')
    assert got("work")["require"] == ["a"]


def test_a_path_is_relative_to_the_file(project: Path) -> None:
    write(project, '[tool.hil]\noutput = "runs"\n')
    assert got("work")["output"] == str(project / "runs")


def test_several_paths_are_relative_to_the_file(project: Path) -> None:
    write(project, '[tool.hil.work]\nfile = ["a", "b"]\n')
    assert got("work")["file"] == [str(project / "a"), str(project / "b")]
    write(project, '[tool.hil.work]\nfile = "a"\n')
    assert got("work")["file"] == [str(project / "a")]


def test_the_project_comes_before_the_user(project: Path) -> None:
    user(project, 'lanes = "mine"\njobs = 9\n[work]\nseed = 1\n')
    write(project, '[tool.hil]\nlanes = "ours"\n')
    found = got("work")
    assert (found["lanes"], found["jobs"], found["seed"]) == ("ours", 9, 1)


def test_the_command_line_comes_first_then_variables(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, '[tool.hil]\nlanes = "file"\nstrict = true\nrequire = "file"\n')
    monkeypatch.setenv("HIL_LANES", "variable")
    monkeypatch.setenv("HIL_REQUIRE", "one two")
    found = got("work")
    assert (found["lanes"], found["strict"], found["require"]) == ("variable", True, ["one", "two"])
    found = got("work", "--lanes", "line", "--no-strict")
    assert (found["lanes"], found["strict"]) == ("line", False)


def test_the_nearest_project_with_a_table_counts(project: Path) -> None:
    write(project, '[tool.hil]\nlanes = "far"\n')
    (project / "deep/pyproject.toml").write_text("[tool.other]\nhil = 1\n")
    assert got("work")["lanes"] == "far"
    (project / "deep/down/pyproject.toml").write_text('[tool.hil]\nlanes = "near"\n')
    assert got("work")["lanes"] == "near"


def test_a_broken_file_of_somebody_else_is_none_of_our_business(project: Path) -> None:
    write(project, "no TOML, while others have some")
    assert got("work")["lanes"] == "debian-12"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('lane = "a"', "[tool.hil] has the unknown key 'lane'; did you mean 'lanes'?"),
        ("seed = 1", "unknown key 'seed', which is an option of single commands; write it below [tool.hil."),
        ("[tool.hil.wrok]\nseed = 1", "[tool.hil] has the unknown key 'wrok'; did you mean 'work'?"),
        ("[tool.hil.work]\nsed = 1", "[tool.hil.work] has the unknown key 'sed'; did you mean 'seed'?"),
        ("[tool.hil.inner.work]\nsed = 1", "[tool.hil.inner.work] has the unknown key 'sed'"),
        ("jobs = 0", "[tool.hil]: jobs = 0: 0 is not in the range x>=1"),
        ("jobs = 2.9", "[tool.hil]: jobs = 2.9 is no whole number"),
        ("lanes = []", "[tool.hil]: lanes = [] has nothing in it; name something, or leave the key out"),
        ("work = 3", "[tool.hil]: work = 3 is no table; write [tool.hil.work]"),
        ('jobs = "many"', "[tool.hil]: jobs = 'many': 'many' is not a valid integer; correct the file"),
        ('strict = "yes"', "[tool.hil]: strict = 'yes' is no value for it; write true or false"),
        ("lanes = true", "[tool.hil]: lanes = True is no value for it"),
        ("[tool.hil.lanes]\na = 1", "unknown key 'lanes'"),
        ("lanes = ", "pyproject.toml is no TOML"),
        ("output = 3", "[tool.hil]: output = 3 is no value for it; write a path as a text"),
        ("[tool.hil.work]\nfile = [3]", "[tool.hil.work]: file = [3] is no value for it; write a path as a text"),
        ("[tool.hil.inner]\nwork = 3", "[tool.hil.inner]: work = 3 is no table; write [tool.hil.inner.work]"),
    ],
)
def test_what_means_nothing_is_wrong_usage(text: str, told: str, project: Path) -> None:
    write(project, f"[tool.hil]\n{text}\n")
    with pytest.raises(UserError) as caught:
        got("work")
    assert told in str(caught.value) and str(project) in str(caught.value)


def test_what_is_ours_and_no_table_is_told(project: Path) -> None:
    write(project, "[tool]\nhil = 3\n")
    with pytest.raises(UserError, match=re.escape("pyproject.toml: tool.hil = 3 is no table; write [tool.hil]")):
        got("work")


@pytest.mark.parametrize("heading", ["tool.hil", "hil"])
def test_the_heading_of_a_project_in_the_users_file_is_explained(heading: str, project: Path) -> None:
    user(project, f'[{heading}]\nlanes = "a"\n')
    with pytest.raises(UserError, match=re.escape(f"has the table [{heading}], as a pyproject.toml would; leave")):
        got("work")


def test_a_key_near_to_a_shared_one_is_asked_for_though_single_commands_have_it(project: Path) -> None:
    write(project, '[tool.hil]\nlane = "debian-12"\n')
    done = CliRunner().invoke(hil, ["run", "--list"], standalone_mode=False)
    told = str(done.exception)
    assert "unknown key 'lane', which is an option of single commands; did you mean 'lanes'? else write it" in told


def test_values_of_files_and_variables_that_an_error_quotes_have_an_origin(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user(project, '[run]\nscripts = "nothing"\n')
    write(project, '[tool.hil]\nlanes = ["debian-12", "debian-99"]\nrepeat = 2\n')
    file = f"{project}/pyproject.toml: [tool.hil]"
    assert [*config.origins("unknown lane 'debian-99'")] == [f"{file}: lanes = ['debian-12', 'debian-99']"]
    assert [*config.origins("no script matches 'nothing'")] == [
        f"{project.parent}/config/hil/config.toml: [run]: scripts = 'nothing'"
    ]
    assert [*config.origins("unknown lane 'debian-98'")] == []
    assert [*config.origins("unknown lane 'debian-99'", ["run", "--lanes=debian-99,debian-12"])] == []
    monkeypatch.setenv("HIL_LANES", "debian-12,debian-98")
    assert [*config.origins("unknown lane 'debian-98'")] == ["HIL_LANES is 'debian-12,debian-98'"]


def test_an_error_of_a_file_has_its_origin_in_itself(project: Path) -> None:
    write(project, '[tool.hil]\njobs = "two"\n')
    assert [*config.origins(f"{project}/pyproject.toml: [tool.hil]: jobs = 'two'")] == []
    write(project, "[tool.hil]\njobs =\n")
    assert [*config.origins("something about 'two'")] == []


def test_the_command_tells_the_origin(project: Path) -> None:
    write(project, '[tool.hil]\nlanes = "debian-99"\n')
    done = subprocess.run([sys.executable, "-m", "hil", "run", "--list"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    origin = f"    {project}/pyproject.toml: [tool.hil]: lanes = 'debian-99'\n"
    assert done.stderr.endswith(f"`hil lanes` lists all\n{origin}")


def test_a_table_for_another_command_is_looked_at_too(project: Path) -> None:
    write(project, "[tool.hil.work]\nsed = 1\n")
    with pytest.raises(UserError, match="sed"):
        got("rest")


def test_a_file_that_cannot_be_read_is_told(project: Path) -> None:
    (project.parent / "config/hil/config.toml").mkdir(parents=True)
    with pytest.raises(BenchError, match=r"config\.toml"):
        got("work")


def test_the_shared_options_are_those_of_the_commands() -> None:
    found: set[str] = set()
    for entry in entry_points(group="hil.commands"):
        command = entry.load()
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        for one in (command, *inner):
            found |= {one.opts[0].lstrip("-") for one in one.params if isinstance(one, Shared)}
    assert found == set(config.SHARED)


def listed(*arguments: str) -> list[str]:
    """The lines that `hil run --list` prints for the script `counting`, which takes a fraction of all of them."""
    done = CliRunner().invoke(
        hil, ["run", "--list", "--scripts", "counting", *arguments], standalone_mode=False, catch_exceptions=False
    )
    return done.stdout.splitlines()


def test_the_command_takes_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, '[tool.hil]\nlanes = "debian-12/arm64/jit"\n')
    assert listed()[0] == "debian-12/arm64/jit"
    assert "debian-12/arm64/jit" not in listed("--kernel", "debian-13")
    monkeypatch.setenv("HIL_LANES", "debian-11/arm64/jit")
    assert listed()[0] == "debian-11/arm64/jit"
    assert listed("--lanes", "debian-13/arm64/jit")[0] == "debian-13/arm64/jit"


def test_the_command_ends_with_wrong_usage(project: Path) -> None:
    write(project, "[tool.hil]\nworkers = 3\n")
    with pytest.raises(UserError, match="unknown key 'workers'"):
        listed()
    assert CliRunner().invoke(hil, ["--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("text", "variable", "arguments", "expected"),
    [
        ("", None, [], None),
        ("cold = true", None, [], "1"),
        ("cold = true", "0", [], "0"),
        ("", "1", ["--no-cold"], "0"),
        ("cold = false", None, ["--cold"], "1"),
    ],
)
def test_cold_is_decided_in_the_same_order(
    text: str, variable: str | None, arguments: list[str], expected: str | None, project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write(project, f"[tool.hil]\n{text}\n")
    monkeypatch.setenv("HIL_COLD", "")  # so that what the command sets is undone
    if variable is None:
        monkeypatch.delenv("HIL_COLD")
    else:
        monkeypatch.setenv("HIL_COLD", variable)
    listed("--lanes", "debian-12/arm64/jit", *arguments)
    assert os.environ.get("HIL_COLD") == expected


def test_the_page_names_every_key_and_variable() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text()
    assert not [name for name in (*config.SHARED, *settings.VARIABLES) if f"`{name}`" not in page]
