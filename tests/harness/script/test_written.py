# SPDX-License-Identifier: MIT
"""Scripts written as JSON and read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.core_scripts import core_scripts
from harness.fuzz.campaign.work import GENERATORS
from harness.model.eras import era
from harness.script.malformed import Malformed
from harness.script.operations import Script
from harness.script.written import read, written
from hil.errors import HilError, UserError


def again(script: Script) -> Script:
    return read(json.loads(json.dumps(written(script))), "a file")


@pytest.mark.parametrize(("release", "arch"), [("4.1", "x86_64"), ("7.2", "arm64")])
def test_what_is_read_is_what_was_written(release: str, arch: str) -> None:
    generated = [make(3, number, era(release, arch)) for make in GENERATORS.values() for number in range(30)]
    for script in (*generated, *core_scripts(arch, release)):
        assert again(script) == replace(script, expected=(), source=None)


def test_programs_are_written_with_their_text() -> None:
    (load,) = [
        one
        for one in written(GENERATORS["programs"](3, 1, era("6.1", "x86_64")))["operations"]
        if one["is"] == "LoadProgram"
    ][:1]
    assert any(line.endswith(" exit") for line in load["program"]["code"])


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        {"name": "a", "sentence": "b", "operations": [3]},
        {"name": "a", "sentence": "b", "operations": [{"is": "NoSuchThing"}]},
        {"name": "a", "sentence": "b", "operations": [{"is": "Close"}]},
        {"name": "a", "sentence": "b", "operations": [{"is": "Close", "descriptor": 1, "more": 2}]},
        {"name": "a", "sentence": "b", "operations": [{"is": "Ref", "name": "x"}]},
        {"name": "a", "sentence": "b", "operations": [], "needs": ["NOTHING_LIKE_IT"]},
    ],
)
def test_what_is_no_script_is_told(data: object) -> None:
    with pytest.raises(UserError, match="a file has no script"):
        read(data, "a file")


def test_a_script_that_makes_no_sense_is_told() -> None:
    with pytest.raises(HilError) as caught:
        read(
            {"name": "a", "sentence": "b", "operations": [{"is": "Close", "descriptor": {"is": "Ref", "name": "x"}}]},
            "",
        )
    assert isinstance(caught.value, Malformed)
