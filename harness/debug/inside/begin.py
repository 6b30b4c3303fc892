# SPDX-License-Identifier: MIT
"""The beginning: makes the commands, by the data in a file. gdb calls it: `python begin("FILE")`."""

from __future__ import annotations

from pathlib import Path

from harness.debug.inside import unwinding
from harness.debug.inside.back import Back
from harness.debug.inside.breaking import Break
from harness.debug.inside.ctx import Ctx
from harness.debug.inside.data import read
from harness.debug.inside.disas import Disas
from harness.debug.inside.info import Info
from harness.debug.inside.map import Map
from harness.debug.inside.model import Model
from harness.debug.inside.naming import Names
from harness.debug.inside.regs import Regs
from harness.debug.inside.session import Session
from harness.debug.inside.stack import Stack
from harness.debug.inside.state import State
from harness.debug.inside.step import Step
from harness.debug.inside.told import Bpf
from harness.debug.inside.until import Until
from harness.debug.inside.watching import Watching

COMMANDS = (Info, Disas, Regs, Stack, Map, Break, Step, Until, Model, Back, State, Ctx)


def begin(file: str) -> Session:
    """Makes the commands; gdb must be connected, with symbols."""
    session = Session(read(Path(file)))
    Names(session, unwinding.register(session.data))
    Watching(session)
    Bpf()
    for command in COMMANDS:
        command(session)
    return session
