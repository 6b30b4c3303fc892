# SPDX-License-Identifier: MIT
"""A command that was to fire programs and never ran is told, and so is one that ended without success."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.check import command
from harness.check.looking import checked
from harness.check.triggers import parse
from harness.check.trying import NamedObject, trials
from harness.lane import Engine, Lane
from harness.objects.reader import read
from harness.run.checked import Answer, Checked
from harness.script.operations import Execute, Exit
from harness.script.outcome import Outcome
from tests.fakes import FakeTarget
from tests.harness.check.trying import environment, facts
from tests.harness.objects.probes import probe

APPLETS = ("ls", "ping", "sh")


def fired_by(text: str | None, status: int, *, hits: int = 0, errno: str | None = None) -> Checked:
    """How a program fared whose command ended with that wait status."""
    trigger = None if text is None else parse(text)
    (one,) = trials([NamedObject("probe.o", read(probe("kprobe/vfs_open")))], facts(), trigger)
    said = {Execute: Outcome(errno=errno), Exit: Outcome(value=status)}
    outcomes = [said.get(type(step.operation), Outcome(value=hits)) for step in one.steps]
    found = checked(Lane("k", "x86_64", Engine.JIT), one, outcomes, (), environment())
    return command.told(found, one, outcomes, APPLETS)


@pytest.mark.parametrize(
    ("text", "status", "what", "remedy"),
    [
        ("run:pnig 127.0.0.1", 127, "pnig 127.0.0.1: the guest's busybox has no command pnig", "did you mean 'ping'?"),
        ("run:xyzzy", 127, "xyzzy: the guest's busybox has no command xyzzy (exit status 127)", "busybox --list"),
        ("run:sh -c 'nosuch 1'", 127, "sh -c 'nosuch 1': it names a command that there is not", "busybox --list"),
        ("run:sh -c /etc", 126, "sh -c /etc: something in it may not be executed (exit status 126)", ""),
    ],
)
@pytest.mark.parametrize("hits", [0, 1])
def test_a_command_that_never_ran_is_told_and_not_fine(
    text: str, status: int, what: str, remedy: str, hits: int
) -> None:
    found = fired_by(text, status << 8, hits=hits)
    (why,) = found.whys
    assert (why.kind, found.fine) == ("no-command", False)
    assert what in why.what and remedy in why.remedy
    assert replace(found, expected="attaches").fine, "unless no better is expected"


def test_a_busybox_that_is_not_there_is_told_with_the_error() -> None:
    (why,) = fired_by(None, 0, errno="ENOENT").whys
    assert (why.kind, why.errno) == ("no-command", "ENOENT")
    assert why.what == "the command did not run: echo hello: /bin/busybox cannot be executed"


@pytest.mark.parametrize(
    ("text", "status", "notes"),
    [
        ("run:ls /nosuch", 1 << 8, ("on k/x86_64/jit the command ls /nosuch ended with exit status 1",)),
        ("run:sh -c 'kill $$'", 15, ("on k/x86_64/jit the command sh -c 'kill $$' was ended by signal 15",)),
        ("run:ls /", 0, ()),
        (None, 1 << 8, ()),
    ],
)
def test_one_that_ended_without_success_is_a_note(text: str | None, status: int, notes: tuple[str, ...]) -> None:
    found = fired_by(text, status, hits=1)
    assert (found.fires, found.whys, found.fine) == (Answer.YES, (), True)
    assert found.notes == notes


def test_the_commands_of_a_target_without_busybox_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeTarget() as target:
        monkeypatch.setattr(command, "BUSYBOX", "false")
        assert command.applets(target) == ()
        monkeypatch.setattr(command, "BUSYBOX", "echo")
        assert command.applets(target) == ("--list",)
