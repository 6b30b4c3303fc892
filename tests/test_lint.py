# SPDX-License-Identifier: MIT
"""The checks of `make lint` are those before a commit, and leave out no file of theirs."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
_LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
)
TRACKED = [name for name in _LISTED.stdout.splitlines() if (ROOT / name).is_file()]
"""Files of the tree, also those not yet committed."""
BYTES_COUNT = {"tests/harness/history/everything.ktap"}
"""Lines that end as the format has it."""


def commands(target: str) -> list[str]:
    """What `make TARGET` would run."""
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/ready", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [line for line in said.stdout.splitlines() if line.startswith(".venv/bin/")]


def test_what_is_checked_before_a_commit_is_what_lint_checks() -> None:
    (local,) = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {str(hook["entry"]) for hook in local["hooks"]}
    lint = commands("lint")
    assert len(hooks) == len(lint) > 0
    assert not [hook for hook in hooks if not any(line.startswith(hook) for line in lint)]


def test_the_tests_begin_with_lint() -> None:
    assert commands("test")[:-1] == commands("lint")


@pytest.mark.parametrize("tool", ["clang-format", "shfmt"])
def test_what_is_checked_can_be_formatted(tool: str) -> None:
    """The same files, so that `make format` makes of every tree one that `make lint` takes."""
    (check,), (write,) = ([line for line in commands(name) if tool in line] for name in ("lint", "format"))
    assert [word for word in check.split()[1:] if word[0] != "-"] == [
        word for word in write.split()[1:] if word[0] != "-"
    ]


def test_what_is_no_dead_code_is_still_there() -> None:
    """A row of the list that spares nothing is a mistake of tomorrow."""
    spared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["vulture"]["ignore_names"]
    names = {word for name in TRACKED if name.endswith(".py") for word in re.findall(r"\w+", (ROOT / name).read_text())}
    assert not [name for name in spared if not fnmatch.filter(names, name)]


def test_every_program_in_shell_and_c_is_checked() -> None:
    scripts = {
        name
        for name in TRACKED
        if (first := (ROOT / name).read_bytes()[:64].split(b"\n")[0])[:2] == b"#!" and b"sh" in first
    }
    sources = {name for name in TRACKED if name.endswith((".c", ".h"))}
    checked = {word for line in commands("lint") if "clang-format" in line or "shfmt" in line for word in line.split()}
    assert len(scripts) >= 3 and len(sources) >= 8
    assert not (scripts | sources) - checked


def test_lines_end_as_an_editor_should_end_them() -> None:
    """What `.editorconfig` says of every file; pictures have no lines."""
    wrong = []
    for name in {name for name in TRACKED if not name.endswith(".png")} - BYTES_COUNT:
        content = (ROOT / name).read_bytes()
        if content and not content.endswith(b"\n"):
            wrong.append(f"{name}: the last line has no end")
        wrong += [f"{name}:{at}: blanks" for at, line in enumerate(content.split(b"\n"), 1) if line != line.rstrip()]
    assert not wrong
