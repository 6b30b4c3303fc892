# SPDX-License-Identifier: MIT
"""Which of two runs gets a board, wherever one of them is when the other one comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from itertools import count
from pathlib import Path

import pytest

from hil.board import keeper
from tests.waiting import until

_STOPPABLE = ("cat", "chmod", "ln", "mkdir", "mv", "rm", "sed")
_CALLED = """#!/bin/sh
{tool} "$@"
status=$?
echo {tool} >>"$HERE/calls"
if [ "$(grep -c . "$HERE/calls")" = "$STOP" ]; then
    : >"$HERE/stopped"
    while [ ! -e "$HERE/go" ]; do {sleep} 0.01; done
fi
exit $status
"""
_WAITS = """#!/bin/sh
: >"$HERE/waits"
{sleep} 0.05
"""


class Run:
    """A run's keeper, which stops after the program that it calls as the `stop`th, until `go`."""

    def __init__(self, folder: Path, place: Path, name: str, stop: int = 0) -> None:
        self._folder = folder / f"{name}-{stop}"
        self._folder.mkdir()
        self.answers: list[str] = []
        for tool in _STOPPABLE:
            self._write(tool, _CALLED.format(tool=shutil.which(tool), sleep=shutil.which("sleep")))
        self._write("sleep", _WAITS.format(sleep=shutil.which("sleep")))
        environment = {"PATH": f"{self._folder}:{os.environ['PATH']}", "HERE": str(self._folder), "STOP": str(stop)}
        pipe = subprocess.PIPE
        command = keeper.command(name, f"{name}@desk", (), (), (str(place),))
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def stopped(self) -> bool:
        return (self._folder / "stopped").exists() and not (self._folder / "go").exists()

    @property
    def still(self) -> bool:
        """Whether it goes no further by itself."""
        return self.stopped or bool(self.answers) or (self._folder / "waits").exists()

    def go(self) -> None:
        (self._folder / "go").touch()

    def end(self) -> None:
        self.go()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._listening.join(60)

    def _write(self, name: str, text: str) -> None:
        program = self._folder / name
        program.write_text(text)
        program.chmod(0o755)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(("ready", "busy", "noexec")):
                self.answers.append(line)


def said(folder: Path, place: Path, stop: int, *, earlier: bool) -> tuple[bool, list[str]]:
    """Whether alice could be stopped there, and what both were told."""
    folder.mkdir()
    first = Run(folder, place, "bob", 1) if earlier else None
    if first:
        until(lambda: first.stopped)
    alice = Run(folder, place, "alice", stop)
    until(lambda: alice.still)
    was_stopped = alice.stopped
    bob = first or Run(folder, place, "bob")
    bob.go()
    until(lambda: bob.still)
    alice.go()
    until(lambda: bool(alice.answers and bob.answers))
    alice.end()
    bob.end()
    return was_stopped, alice.answers + bob.answers


@pytest.mark.parametrize("earlier", [False, True], ids=["later", "earlier"])
def test_one_of_two_has_the_board(earlier: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice is stopped after each of her steps, some of which clear away what a third run left. Then bob asks, whose
    process is an earlier one or a later one."""
    monkeypatch.setattr(keeper, "ALONE", 1_000_000)
    for stop in count(1):
        place = tmp_path / f"place-{stop}"
        left = place / "hil-board.1.gone"
        left.mkdir(parents=True)
        (left / "boot").write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
        (left / "tracing").write_text("/none")
        was_stopped, answers = said(tmp_path / str(stop), place, stop, earlier=earlier)
        assert sorted(line.split()[0] for line in answers) == ["busy", "ready"], f"alice was stopped at {stop}"
        assert not list(place.iterdir())
        if not was_stopped:
            assert stop > 5
            return


def test_a_board_that_rebooted_may_give_the_same_process_id(tmp_path: Path) -> None:
    """The folders that the run had before have the name of the one that it makes."""
    places = [str(tmp_path / name) for name in ("one", "two")]
    before = 'for place in $0; do mkdir -p "$place/hil-board.$$.ours"; done; exec "$@"'
    command = ["sh", "-c", before, " ".join(places), *keeper.command("ours", "alice@desk", (), (), places)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    assert f"ready {places[0]}/hil-board." in done.stdout and done.stdout.endswith("end\n"), done
    assert not [folder for place in places for folder in Path(place).iterdir()]
