# SPDX-License-Identifier: MIT
"""What a gdb is told of the past, by a socket, of a lane whose records are the model's own; nothing boots."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.core_scripts import core_scripts
from harness.debug.inside.data import Answer, Asked, CodeData
from harness.debug.past import answering
from harness.lane import Engine, Lane
from harness.lockstep.actual import GuestProgram
from harness.lockstep.recording import Recorded
from harness.script.operations import Script
from tests.harness.lockstep.pretended import pretend
from tests.harness.lockstep.test_comparing import LANE

COUNTING = next(one for one in core_scripts(LANE.arch, "6.1") if one.name == "counting")
CODE = CodeData(0, "95" + 7 * "00", [(0, 0)], [16], "c3", [(16, 1)])


class Recording:
    """A lane in lockstep, as far as the past needs one."""

    lane = Lane("debian-12", "x86_64", Engine.INTERP)

    def __init__(self) -> None:
        self.told: list[GuestProgram] = []
        self.empty = False

    def so_far(self, script: Script, programs: list[GuestProgram]) -> Recorded:
        self.told = programs
        whole = pretend(LANE, script)
        return Recorded(whole.seen, whole.programs, () if self.empty else whole.runs[:3])


def asked(path: Path, back: int, *programs: CodeData) -> Answer:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        with connection.makefile("rwb") as stream:
            stream.write(json.dumps(asdict(Asked(back, programs))).encode() + b"\n")
            stream.flush()
            return Answer(**json.loads(stream.readline()))


def test_an_earlier_instruction_of_the_run_under_way(tmp_path: Path) -> None:
    recording: Any = Recording()
    path = tmp_path / "past"
    with answering(path, recording, COUNTING):
        last = asked(path, 1, CODE).lines
        assert last[0] == "counting on debian-12/x86_64/interp, run 3, before step 13 of 0 to 13"
        assert any(line.startswith(">") and line.endswith(": (95) exit") for line in last)
        assert "before step 0 of" in asked(path, 14).lines[0]
        assert not recording.told[0].code.lines, "no code was told in the last question"
        asked(path, 1, CODE)
        assert recording.told[0].code.native == (16,) and recording.told[0].code.functions == ((16, 1),)
    assert not path.exists()


@pytest.mark.parametrize("back", [0, -1, 15])
def test_what_the_run_has_not_executed(tmp_path: Path, back: int) -> None:
    recording: Any = Recording()
    with answering(tmp_path / "past", recording, COUNTING):
        answer = asked(tmp_path / "past", back)
        assert answer.what == "run 3 has executed 14 instructions"
        assert answer.remedy == "go back by 1 to 14 of them"
        recording.empty = True
        assert "have executed nothing yet" in asked(tmp_path / "past", 1).what


def test_a_fault_of_ours_is_an_answer_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gdb without an answer would wait for ever."""
    recording: Any = Recording()
    with answering(tmp_path / "past", recording, COUNTING):
        monkeypatch.setattr(recording, "so_far", lambda *_: {}["nothing"])
        assert asked(tmp_path / "past", 1).what == "a fault of hil: KeyError('nothing')"
        monkeypatch.undo()
        assert asked(tmp_path / "past", 1).lines


def test_who_asks_and_goes_away_disturbs_nobody(tmp_path: Path) -> None:
    recording: Any = Recording()
    with answering(tmp_path / "past", recording, COUNTING):
        for sent in (b"", b"no JSON\n"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(tmp_path / "past"))
                connection.sendall(sent)
        assert asked(tmp_path / "past", 1).lines
