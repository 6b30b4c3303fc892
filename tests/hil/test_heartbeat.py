# SPDX-License-Identifier: MIT
"""Whoever waits is told what for."""

from __future__ import annotations

import queue
import re
from pathlib import Path

import pytest
from rich.console import Console

from harness.run import watch
from hil.debian.apt import _amount
from hil.heartbeat import Heartbeat


def test_silence_is_filled_with_what_is_being_done() -> None:
    told: queue.Queue[str] = queue.Queue()
    with Heartbeat(told.put, period=0.05) as tell:
        tell("downloading")
        assert told.get(timeout=60) == "downloading"
        assert re.fullmatch(r"downloading: \d+ s", told.get(timeout=60))
        tell("unpacking")
        while (line := told.get(timeout=60)) != "unpacking":
            assert line.startswith("downloading: ")
        assert re.fullmatch(r"unpacking: \d+ s", told.get(timeout=60))


def test_lines_that_come_by_themselves_are_enough() -> None:
    told: list[str] = []
    with Heartbeat(told.append) as tell:
        tell("one")
        tell("two")
    assert told == ["one", "two"]


def test_nothing_is_told_where_there_is_nothing_to_say_and_after_the_end() -> None:
    told: queue.Queue[str] = queue.Queue()
    said: queue.Queue[None] = queue.Queue()

    def say(_: str, __: float) -> str:
        said.put(None)
        return ""

    with Heartbeat(told.put, say, period=0.05) as tell:
        said.get(timeout=60)
        tell("line")
    beats = said.qsize()
    assert told.qsize() == 1
    assert not tell._thread.is_alive() and said.qsize() == beats


def test_the_lines_of_a_run_say_how_far_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file, watch.Plain(Console(file=file, width=200), period=0.05) as plain:
        beaten = queue.Queue[str]()
        print_ = plain._print
        plain._tell._tell = lambda line: (print_(line), beaten.put(line))[1]
        assert re.fullmatch(r"0 of 0 results, \d+ s", beaten.get(timeout=60))


@pytest.mark.parametrize(
    ("done", "seconds", "told"),
    [
        (0, 3.0, "0 of 400 results, 3 s"),
        (100, 30.0, "100 of 400 results, 30 s, about 90 s to go"),
        (400, 99.0, "400 of 400 results, 99 s"),
    ],
)
def test_an_estimate_follows_from_what_is_done(done: int, seconds: float, told: str) -> None:
    assert watch.progress(done, 400, seconds) == told


def test_a_download_has_its_share_and_its_rate(tmp_path: Path) -> None:
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial/linux.deb").write_bytes(bytes(3_000_000))
    assert _amount("downloading linux", tmp_path, 12_000_000, 6.0) == "downloading linux: 25 %, 0.5 MB/s"
    assert _amount("downloading", tmp_path, 0, 6.0) == "downloading: 3.0 MB, 0.5 MB/s"
