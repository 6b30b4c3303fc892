# SPDX-License-Identifier: MIT
"""Files that are no findings, or damaged ones: what is wrong with which of them is told, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from harness.compare import Verdict
from harness.fuzz.campaign.plan import Place
from harness.fuzz.campaign.work import GENERATORS, share_of, understood
from harness.fuzz.finding import files
from harness.fuzz.finding.judging import whole
from harness.lane import Engine
from harness.model.eras import era
from harness.run.results import ScriptResult
from harness.script.malformed import Malformed
from hil.errors import UserError

LANE = "debian-12/x86_64/jit"
PLACE = Place("debian-12", "x86_64", tuple(Engine), "6.1")
ODD: tuple[object, ...] = (
    None,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\udcff",
    [],
    [[1]],
    {},
    {"is": []},
    {"is": "Enum"},
    {"is": "Ref", "name": "x"},
    {"is": "MapType", "value": 99},
    {"is": "bytes", "hex": "zz"},
    {"is": "set", "of": [[]]},
    {"is": "Program", "code": ["00"]},
)
"""What may be in the place of something else."""
GONE = object()
"""Stands for nothing in its place."""
Where = tuple[str | int, ...]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A finding with operations of many kinds."""
    script = GENERATORS["scripts"](3, 1, era("6.1", "x86_64"))
    found = whole(script, ScriptResult(LANE, script.name, Verdict.DIVERGE, "it differs"), "it was found before")
    return files.write(tmp_path, found, {"seed": 3})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is damaged, or no finding"),
        (b"\x7fELF\x02\x01\xff", "is damaged, or no finding"),
        (b'{"format": 1, "lan', "is damaged, or no finding"),
        (b"[" * 100_000, "is damaged, or no finding"),
        (b"1" * 5_000, "is damaged, or no finding"),
        (b"[]", "is no finding"),
        (b'"format"', "is no finding"),
        (b'{"results": []}', "is no finding"),
        (b'{"format": 9}', "has another format than this hil reads; use the hil that wrote it"),
        (b'{"format": 1, "lanes": []}', "names no lanes"),
        (b'{"format": 1, "lanes": [3]}', "names no lanes"),
        (b'{"format": 1, "lanes": ["a"], "verdict": "diverge", "reason": 3}', "does not say what was seen"),
        (b'{"format": 1, "lanes": ["a"], "verdict": "diverge", "reason": "b"}', "has no script: it is None"),
    ],
)
def test_a_file_that_is_no_finding(text: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    file.write_bytes(text)
    with pytest.raises(UserError) as caught:
        files.read(file)
    assert str(caught.value).startswith(f"{file} {told}") and caught.value.remedy


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for file, why in ((tmp_path, "Is a directory"), (tmp_path / "gone.json", "No such file or directory")):
        with pytest.raises(UserError) as caught:
            files.read(file)
        assert caught.value.what == f"cannot read {file}: {why}"


def test_every_part_that_lacks_or_is_another_is_told_with_the_file(path: Path) -> None:
    """What still is a finding can be given to a worker."""
    record, refused = json.loads(path.read_text()), 0
    for damaged in _damaged(record):
        path.write_text(json.dumps(damaged))
        try:
            script = files.read(path).script
        except UserError as error:
            refused += 1
            assert str(path) in error.what and error.remedy, error
            assert len(str(error)) < 1500, "a line that nobody reads"
        else:
            understood(share_of(PLACE, (script,)), (script,))
            assert script.name.encode()
    assert refused > 1000


def test_brackets_that_are_too_deep_are_told(path: Path) -> None:
    record = json.loads(path.read_text())
    for depth in (500, 900, 980, 20_000):
        text = json.dumps({**record, "script": {**record["script"], "operations": "HERE"}})
        path.write_text(text.replace('"HERE"', "[" * depth + "]" * depth))
        with pytest.raises(UserError) as caught:
            files.read(path)
        assert str(path) in caught.value.what


def test_a_script_that_makes_no_sense_is_told_as_that(path: Path) -> None:
    record = json.loads(path.read_text())
    record["script"]["operations"][0] = {"is": "Exit"}
    path.write_text(json.dumps(record))
    with pytest.raises(Malformed) as caught:
        files.read(path)
    assert caught.value.what.startswith(f"{path} has a script that makes no sense: script-3-1: operation 0, Exit")
    assert caught.value.remedy


def _damaged(record: Any) -> Iterator[Any]:
    """Yields records in which a part is gone, or something else is in its place."""
    for number, where in enumerate(_places(record, ())):
        for odd in (GONE, *ODD[number % 3 :: 3]):
            damaged = deepcopy(record)
            holder = damaged
            for step in where[:-1]:
                holder = holder[step]
            if odd is GONE:
                del holder[where[-1]]
            else:
                holder[where[-1]] = odd
            yield damaged


def _places(part: Any, where: Where) -> Iterator[Where]:
    if where:
        yield where
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for step, one in inner:
        yield from _places(one, (*where, step))
