# SPDX-License-Identifier: MIT
"""The command that fires a program, a child of the bench: whether it ran, and how it ended."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace

from harness.check.trying import Trial
from harness.lowering.processes import BUSYBOX
from harness.objects.loading import Stage
from harness.run.checked import NO_COMMAND, Answer, Checked, Why
from harness.script.operations import Execute
from harness.script.outcome import Outcome
from hil.nearest import meant
from hil.target import Target

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""The exit statuses of busybox and of its shell for a command that never ran."""


def applets(target: Target) -> tuple[str, ...]:
    """Returns the names of the commands that the target's busybox has; none where it cannot be asked."""
    done = target.run([BUSYBOX, "--list"])
    return () if done.status else tuple(done.stdout.decode(errors="replace").split())


def told(found: Checked, trial: Trial, outcomes: Sequence[Outcome], known: Sequence[str]) -> Checked:
    """Returns the record of a program with why its command never ran, or how it ended without success. `known` are the
    commands that there are."""
    if found.attaches is not Answer.YES:
        return found
    if why := not_run(trial, outcomes, known):
        others = tuple(one for one in found.whys if one.kind != "not-fired")
        return replace(found, whys=(why, *others))
    note = _ending(trial, outcomes)
    return replace(found, notes=(*found.notes, f"on {found.lane} {note}")) if note else found


def not_run(trial: Trial, outcomes: Sequence[Outcome], known: Sequence[str] = ()) -> Why | None:
    """Returns why the command never ran; None when it did, or there is none."""
    operation, executed, status = _command(trial, outcomes)
    if operation is None or not (executed.errno or status in (_NOT_FOUND, _NOT_EXECUTABLE)):
        return None
    words = (*operation.command, operation.line)
    what, remedy = f"{BUSYBOX} cannot be executed", ""
    if not executed.errno and status == _NOT_EXECUTABLE:
        what = "something in it may not be executed (exit status 126)"
    elif not executed.errno:
        there = words[0] in known or not known
        what = "it names a command that there is not" if there else f"the guest's busybox has no command {words[0]}"
        what += " (exit status 127)"
        remedy = ("" if there else meant(words[0], known)) or "hil shell LANE, then `busybox --list`, has all of them"
    said = f"the command did not run: {shlex.join(words)}: {what}"
    return Why(Stage.FIRE, said, NO_COMMAND, executed.errno, remedy=remedy)


def _ending(trial: Trial, outcomes: Sequence[Outcome]) -> str:
    """How the command that a user chose ended where it ran without success; empty otherwise."""
    operation, executed, status = _command(trial, outcomes)
    if operation is None or executed.errno or not status or not trial.triggered:
        return ""
    how = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
    return f"the command {shlex.join((*operation.command, operation.line))} {how}"


def _command(trial: Trial, outcomes: Sequence[Outcome]) -> tuple[Execute | None, Outcome, int | None]:
    """The command, what executing it gave, and its exit status, or the negative signal; None where it is not known."""
    for at in trial.at(Stage.FIRE):
        operation = trial.steps[at].operation
        if isinstance(operation, Execute):
            ended = outcomes[at + 1].value
            return operation, outcomes[at], os.waitstatus_to_exitcode(ended) if isinstance(ended, int) else None
    return None, Outcome(), None
