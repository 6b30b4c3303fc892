# SPDX-License-Identifier: MIT
"""Groups of commands whose help has every description in full."""

from __future__ import annotations

import re

import click


class Group(click.Group):
    """A group that lists each command with its whole first sentence, where click cuts it after some words."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        rows = [
            (name, first_sentence(command.help or ""))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\S)\.(?=\s|$)", paragraph, maxsplit=1)[0]
