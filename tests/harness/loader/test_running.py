# SPDX-License-Identifier: MIT
"""What is brought back of a command, whatever it printed and removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.loader.running import LINES, MOST, Place
from harness.loader.task import Task
from harness.run.executed import Executed, KernelObject
from hil.target import Completed
from tests.fakes import FakeTarget


class Guest(FakeTarget):
    """A target with room in its workspace."""

    def __init__(self) -> None:
        pass

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        return Completed(0, b"100\n", b"")


@pytest.fixture
def place() -> Place:
    guest: Any = Guest()
    return Place(guest, guest)


def collected(
    place: Place, monkeypatch: pytest.MonkeyPatch, folder: Path, printed: bytes | None, fetch: tuple[str, ...] = ()
) -> tuple[Executed, list[str]]:
    """What is told of a command, and the paths of the guest that were copied."""
    asked: list[str] = []

    def from_target(_: object, paths: Sequence[str], to: Path) -> list[str]:
        asked.extend(paths)
        if to == folder and printed is not None:
            (folder / "stdout").write_bytes(printed)
            (folder / "stderr").touch()
        return list(paths) if printed is None else []

    monkeypatch.setattr("hil.copying.from_target", from_target)
    made = place._collect(Executed("l", ("c",), 0), Task("c", ("c",), {}, fetch), folder, folder)
    return made, asked


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"", [""]),
        (b"one\n\ntwo\n", ["one", "", "two"]),
        (b"one\x0btwo\x85\n", ["one\x0btwo\ufffd"]),
        (b"\xff\x00\n", ["\ufffd\x00"]),
        (b"".join(b"%d\n" % number for number in range(1000)), [str(number) for number in range(1000 - LINES, 1000)]),
    ],
)
def test_the_last_lines_of_an_output(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: bytes, lines: list[str]
) -> None:
    made, _ = collected(place, monkeypatch, tmp_path, printed)
    assert made.stdout.split("\n") == lines


def test_an_endless_line_does_not_fill_the_report(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, _ = collected(place, monkeypatch, tmp_path, b"y" * 50 * MOST + b"end")
    assert len(made.stdout) < 1000 and made.stdout.endswith("yyend")


def test_output_that_the_command_removed_is_told(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made, _ = collected(place, monkeypatch, tmp_path, None)
    assert made.notes == tuple(f"its output is gone: there is no /hil/.hil/{name}" for name in ("stdout", "stderr"))


PROBE = KernelObject("probe", "p", "kprobe_events: p")
DISABLED = KernelObject("kprobe", "f", "kprobes: k f+0x0 [DISABLED]")


@pytest.mark.parametrize(
    ("looks", "left"),
    [
        ([{PROBE, DISABLED}], {PROBE, DISABLED}),
        ([{PROBE, KernelObject("kprobe", "f", "kprobes: k f+0x0")}, {PROBE, DISABLED}], {PROBE, DISABLED}),
        ([{PROBE, KernelObject("program", "7", "program 7")}, {PROBE}], {PROBE}),
        ([{KernelObject("process", "7", "process 7")}, set()], set()),
    ],
)
def test_only_what_a_kernel_may_still_release_is_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch, looks: list[set[KernelObject]], left: set[KernelObject]
) -> None:
    monkeypatch.setattr(place, "look", lambda: frozenset(looks.pop(0)))
    assert place._left(frozenset()) == left
    assert not looks


def test_what_is_in_the_workspace_is_not_looked_for_in_the_root(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place._root = "/mnt/root"
    wanted = ("log", "/hil/data", "/hil", "/hilarious/data", "/etc/passwd")
    _, asked = collected(place, monkeypatch, tmp_path, b"", wanted)
    assert asked[2:] == ["/hil/log", "/hil/data", "/hil", "/mnt/root/hilarious/data", "/mnt/root/etc/passwd"]
