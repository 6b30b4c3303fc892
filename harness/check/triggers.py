# SPDX-License-Identifier: MIT
"""Triggers as users write them: `cap_task_prctl:0x7fff0001,1,2`, `run:ping -c 1 127.0.0.1`."""

from __future__ import annotations

import shlex

from harness.counting import counted
from harness.script.bounds import beyond
from harness.script.operations import Execute, Trigger
from harness.script.triggers import TRIGGERS
from hil.errors import UserError
from hil.nearest import nearest

RUN = "run"
"""Stands for a command of the guest's busybox, which a child executes."""


def parse(text: str) -> Trigger | Execute:
    """Returns the trigger, or the command that a child is to execute; raises UserError for one that there is not, and
    for arguments that are no numbers."""
    name, _, listed = text.partition(":")
    if name == RUN:
        return _command(text, listed)
    if name not in TRIGGERS:
        raise UserError(f"--trigger {text}: there is no trigger {name!r}", remedy=nearest(name, (*TRIGGERS, RUN)))
    chosen = TRIGGERS[name].chosen
    try:
        arguments = tuple(int(word, 0) for word in listed.split(",")) if listed else ()
    except ValueError:
        raise UserError(
            f"--trigger {text}: arguments are numbers",
            remedy=f"write {name}:{','.join('0' for _ in chosen)}, for {', '.join(chosen)}",
        ) from None
    if len(arguments) > len(chosen):
        raise UserError(
            f"--trigger {text}: {name} takes {counted(len(chosen), 'argument')}: {', '.join(chosen)}",
            remedy="leave out what is behind these",
        )
    made = Trigger(name, arguments)
    if wrong := beyond(made):
        raise UserError(f"--trigger {text}: it {wrong}", remedy="write a number that a register holds")
    return made


def _command(text: str, words: str) -> Execute:
    try:
        *command, last = shlex.split(words)
    except ValueError:
        raise UserError(f"--trigger {text}: that is no command", remedy="write run:ping -c 1 127.0.0.1") from None
    return Execute(last, tuple(command))
