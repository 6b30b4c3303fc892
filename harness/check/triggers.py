# SPDX-License-Identifier: MIT
"""Triggers as users write them: `cap_task_prctl:0x7fff0001,1,2`."""

from __future__ import annotations

from harness.script.bounds import beyond
from harness.script.operations import Trigger
from harness.script.triggers import TRIGGERS, From
from hil.errors import UserError
from hil.nearest import nearest


def parse(text: str) -> Trigger:
    """Returns the trigger; raises UserError for one that there is not, and for arguments that are no numbers."""
    name, _, listed = text.partition(":")
    if name not in TRIGGERS:
        raise UserError(f"--trigger {text}: there is no trigger {name!r}", remedy=nearest(name, TRIGGERS))
    try:
        arguments = tuple(int(word, 0) for word in listed.split(",")) if listed else ()
    except ValueError:
        raise UserError(f"--trigger {text}: arguments are numbers", remedy=f"write {name}:0,5") from None
    if len(arguments) > (most := TRIGGERS[name].call.count(From.CHOSEN)):
        raise UserError(f"--trigger {text}: {name} takes {most} arguments", remedy="leave some out")
    made = Trigger(name, arguments)
    if wrong := beyond(made):
        raise UserError(f"--trigger {text}: it {wrong}", remedy="write a number that a register holds")
    return made
