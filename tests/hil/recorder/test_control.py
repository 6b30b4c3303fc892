# SPDX-License-Identifier: MIT
"""The bench's side of the files that it shares with the plugin."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.errors import BenchError
from hil.recorder import Group, Place, Record, Recorder, Window, control
from hil.recorder.build import SOURCE
from hil.recorder.control import parse


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(architecture("x86_64"), tmp_path / "run", mebibytes=1)


def test_both_sides_have_the_same_limits() -> None:
    source = SOURCE.read_text()
    for name in ("MOST_REGISTERS", "MOST_WINDOWS", "MOST_GROUPS", "MOST_RANGES"):
        assert re.search(rf"\b{name} = {getattr(control, name)}\b", source)


def test_records_are_read_as_they_were_written() -> None:
    first = struct.pack("<4Q2Q", 48, 0, 1 | 1 << 8, 0, 0x1000, 7)
    second = struct.pack("<4Q1Q", 40, 1, 1 << 63, 2, 0x2000)
    assert list(parse(first + second)) == [
        Record(0, 1, 1, False, frozenset(), (0x1000, 7)),
        Record(1, 0, 0, True, frozenset({1}), (0x2000,)),
    ]


@pytest.mark.parametrize("end", [0, 8, 31, 40])
def test_a_record_that_is_cut_off_is_left_out(end: int) -> None:
    whole = struct.pack("<4Q1Q", 40, 0, 0, 0, 0x1000)
    assert len(list(parse(whole + whole[:end]))) == 1 + (end == 40)


def test_a_guest_that_takes_nothing_up_is_an_error(recorder: Recorder) -> None:
    nudged: list[int] = []
    with pytest.raises(BenchError, match="did not take up what it is to record"):
        recorder.arm([Group((0,))], [Place(0x1000, 0x1001)], lambda: nudged.append(1))
    assert nudged
    recorder.close()


def test_too_many_places_are_an_error(recorder: Recorder) -> None:
    places = [Place(number, number + 1) for number in range(control.MOST_RANGES + 1)]
    with pytest.raises(BenchError, match="8193 places to record"):
        recorder.arm([Group((0,))], places, lambda: None)
    recorder.close()


def test_the_option_names_all_three_files_and_nothing_is_left(recorder: Recorder, tmp_path: Path) -> None:
    assert re.fullmatch(r".*recorder\.so,control=.*\.control,records=.*\.records", recorder.option)
    recorder.close()
    assert not list((tmp_path / "run").iterdir())


def test_a_comma_in_a_path_is_doubled(tmp_path: Path) -> None:
    recorder = Recorder(architecture("x86_64"), tmp_path / "a,b", mebibytes=1)
    assert f"control={tmp_path}/a,,b/recorder.control,records=" in recorder.option
    recorder.close()


def test_windows_and_groups_are_laid_out_as_the_plugin_reads_them(recorder: Recorder) -> None:
    def take_up() -> None:
        recorder._put(control._ARMED, [recorder._get(control._WANTED)])

    recorder.arm(
        [Group((3, 12), (Window(1, 0, 16), Window(2, -616, 88)))],
        [Place(0x2000, 0x2001), Place(0x1000, 0x1008)],
        take_up,
    )
    words = struct.unpack_from("<31Q", recorder._control, control._GROUP_START)
    assert words[:3] == (2, 3, 12) and words[17:24] == (2, 1, 0, 16, 2, 2**64 - 616, 88)
    ranges = struct.unpack_from("<7Q", recorder._control, control._RANGES_START)
    assert ranges == (2, 0x1000, 0x1008, 0, 0x2000, 0x2001, 0)
    recorder.close()
