# SPDX-License-Identifier: MIT
"""The file of architectures: every row is complete, or the error names what it lacks."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil import arch, resources
from hil.arch import Architecture, architectures
from hil.errors import UserError

TABLES = resources.folder("images") / "architectures.toml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a copy of the file that a test can change."""
    monkeypatch.setattr(resources, "folder", lambda _: tmp_path)
    architectures.cache_clear()
    yield tmp_path
    architectures.cache_clear()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('cpu = "max,-erms,-fsrm"\n', "", "images/architectures.toml: [x86_64] lacks cpu; give it the same fields"),
        ("host_machines =", "hosts =", "images/architectures.toml: [x86_64] lacks host_machines"),
        ('cpu = "max,-erms,-fsrm"\n', 'cpu = "max,-erms,-fsrm"\ncpus = 2\n', "[x86_64] has unknown fields: cpus"),
    ],
)
def test_a_row_that_is_not_complete(folder: Path, before: str, after: str, expected: str) -> None:
    (folder / "architectures.toml").write_text(TABLES.read_text().replace(before, after, 1))
    with pytest.raises(UserError) as error:
        architectures()
    assert expected in str(error.value)


def test_a_row_more_is_an_architecture_more(folder: Path) -> None:
    text = TABLES.read_text()
    (folder / "architectures.toml").write_text(
        text + text[text.index("[arm64]") :].partition("\n\n")[0].replace("[arm64]", "[s390x]")
    )
    assert [*architectures()] == [*tomllib.loads(text), "s390x"]
    assert isinstance(arch.architecture("s390x"), Architecture)
