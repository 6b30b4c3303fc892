# SPDX-License-Identifier: MIT
"""The version: by git in a checkout, by the metadata elsewhere, and never missing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from hil.version import of_checkout

ROOT = Path(__file__).resolve().parents[2]
AUTHOR = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *AUTHOR, "-C", folder, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit of one file."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("as committed\n")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def test_a_checkout_is_of_its_commit(checkout: Path) -> None:
    assert of_checkout(checkout, "0.3.dev7+gabc.d20260101") == f"0.3.dev0+g{git(checkout, 'rev-parse', 'HEAD')[:12]}"


def test_a_commit_that_was_tagged_is_named_by_its_hash_all_the_same(checkout: Path) -> None:
    git(checkout, "tag", "--annotate", "--message", "release", "v0.3")
    assert of_checkout(checkout, "0.3") == f"0.3.dev0+g{git(checkout, 'rev-parse', 'HEAD')[:12]}"


def test_files_that_differ_from_the_commit_show(checkout: Path) -> None:
    (checkout / "file").write_text("changed\n")
    assert of_checkout(checkout, "0.3").endswith(".dirty")


def test_a_hook_of_git_does_not_lead_elsewhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git sets GIT_DIR for the programs that it runs."""
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))
    assert git(ROOT, "rev-parse", "HEAD")[:12] not in of_checkout(checkout, "0.3")


@pytest.mark.parametrize("broken", ["no git", "no repository"])
def test_nothing_is_made_up_where_git_cannot_tell(broken: str, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "no git":
        monkeypatch.setenv("PATH", "")
    else:
        (checkout / ".git" / "HEAD").write_text("nonsense")
    assert of_checkout(checkout, "0.3") == "0.3.dev0+unknown"


def asked(folder: Path) -> str:
    """The version that a build of the checkout in `folder` would have."""
    command = [sys.executable, "-m", "hatchling", "version"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SETUPTOOLS_SCM"))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_clone_without_tags_can_be_built(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-tags", ROOT, clone], check=True)
    for name in ("pyproject.toml", "README.md"):  # as they are now
        (clone / name).write_text((ROOT / name).read_text())
    assert git(clone, "rev-parse", "HEAD")[:7] in asked(clone)


def test_a_tree_without_git_can_be_built(tmp_path: Path) -> None:
    packed = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert asked(tmp_path) == "0.1.dev0"
