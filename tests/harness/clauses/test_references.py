# SPDX-License-Identifier: MIT
"""Whoever meets the id of a clause in code or documentation finds that clause in docs/clauses.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clauses import clauses
from harness.model.eras import every_era
from tests.harness.model.verifier.rejections import REJECTIONS

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("harness", "hil", "images", "guest", "docs", "tests", "ci")
SELF = {Path(__file__).resolve(), ROOT / "harness" / "clauses" / "sections.toml", ROOT / "docs" / "clauses.md"}
"""The second has beginnings of ids, the third is made of ids."""
ID = re.compile(r"(?<![\w-])(?P<base>(?P<family>[A-Z]+)-\d\d)(?P<variant>(\.[a-z0-9-]+)*)(?![\w-])")
OTHERS = {"ECMA", "A"}
"""What looks like an id: of a standard, and what tests of names make up."""


def known() -> set[str]:
    """Ids, what is before their dots, and the messages of 4.1's verifier, which have programs of their own."""
    ids = {clause.id for rules in every_era() for clause in clauses(rules.arch, rules.name)}
    return ids | {id.split(".")[0] for id in ids} | {row.row for row in REJECTIONS}


def texts() -> Iterator[tuple[Path, str]]:
    for path in (*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))):
        if path.suffix in (".py", ".toml", ".md", ".c", ".h", ".j2", ".yml") and path.resolve() not in SELF:
            yield path, path.read_text()


def dangling(text: str, ids: set[str]) -> set[str]:
    """Ids in the text that nothing has."""
    return {found["base"] for found in ID.finditer(text) if found["base"] not in ids and found["family"] not in OTHERS}


def test_no_reference_dangles() -> None:
    ids = known()
    assert {str(path.relative_to(ROOT)): found for path, text in texts() if (found := dangling(text, ids))} == {}


@pytest.mark.parametrize("text", ["(JIT-21)", "# PR-05", "LOAD-13: arm64", "HOLE-02."])
def test_one_that_dangles_is_found(text: str) -> None:
    assert dangling(text, known())


def test_references_to_what_there_is_are_fine() -> None:
    assert not dangling("DET-01, MAP-02.key and M-30; ATTACH-12 too, as ECMA-48 says", known())
