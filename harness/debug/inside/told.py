# SPDX-License-Identifier: MIT
"""A command of gdb whose errors are one line."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import gdb

from hil.errors import HilError, UserError

if TYPE_CHECKING:
    from harness.debug.inside.session import Session

_DISCONNECTED = "connection"


class Command(gdb.Command):
    """A command named `name`; its docstring is what gdb's `help` shows. Subclasses do the work in `run`."""

    name = ""

    def __init__(self, session: Session) -> None:
        super().__init__(self.name, gdb.COMMAND_DATA, gdb.COMPLETE_NONE)
        self.session = session

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Does what gdb calls a command for; an error is shown as one line."""
        try:
            self.run(gdb.string_to_argv(argument))
        except HilError as error:
            raise gdb.GdbError(str(error)) from None
        except gdb.error as error:
            if not gdb.selected_inferior().pid or _DISCONNECTED in str(error).lower():
                raise gdb.GdbError(f"the machine is gone: {error}; leave gdb with `quit`") from None
            raise gdb.GdbError(str(error)) from None

    @abstractmethod
    def run(self, words: list[str]) -> None:
        """Carries the command out; raises HilError."""


class Bpf(gdb.Command):
    """Look at a BPF program where the kernel runs it.

    bpf info, disas, regs, stack, map, break, step, until, model, state: see `help bpf COMMAND`."""

    def __init__(self) -> None:
        super().__init__("bpf", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


def at_most(words: list[str], most: int, usage: str) -> None:
    """Raises UserError when there are too many words."""
    if len(words) > most:
        raise UserError(f"{len(words)} words, where {most} at most are understood", remedy=f"usage: {usage}")


def number(text: str, what: str) -> int:
    """Returns a number that a user typed; raises UserError when it is none."""
    try:
        return int(text, 0)
    except ValueError:
        raise UserError(f"{text!r} is no number of {what}", remedy="write it as 12 or 0xc") from None


def say(*lines: str) -> None:
    """Prints lines in gdb."""
    gdb.write("".join(f"{line}\n" for line in lines))
