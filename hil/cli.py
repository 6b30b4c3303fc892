"""The `hil` command: collects the subcommands every folder registers, and turns errors into one line and a status."""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import entry_points
from types import FrameType

import click

from hil.errors import BenchError, HilError, UserError

_SIGPIPE = 128 + 13
"""What a shell reports of a program that a closed pipe ended."""


class _Registered(click.Group):
    """A group whose subcommands are the entry points of the group `hil.commands`, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group="hil.commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group="hil.commands", name=cmd_name):
            command = entry.load()
            assert isinstance(command, click.Command)
            return command
        return None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has seen enough, as `head` does. What is still buffered has nowhere to go; and
            # click's own status would be 1, which is that of a divergence.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_SIGPIPE)


@click.command(cls=_Registered, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="hil")
def hil() -> None:
    """Boot real Linux kernels and hold BPF programs on kprobes against an executable specification."""


def _leave(number: int, _: FrameType | None) -> None:
    """Leave by an exception on SIGTERM too, as CI sends it: machines and builds must end, and results be written."""
    # Once is enough: a second one would cost what is being written. Not ignored, which programs we start would inherit.
    signal.signal(signal.SIGTERM, lambda *_: None)
    click.echo("hil: ended by SIGTERM", err=True)
    sys.exit(128 + number)


def main() -> None:
    """Entry point. Exit status: 0 as predicted, 1 a divergence, 2 wrong usage, 3 the bench or a machine failed."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        sys.exit(hil.main(standalone_mode=False) or 0)
    except HilError as error:
        click.echo(f"hil: {error}", err=True)
        if error.details:
            click.echo(error.details.rstrip("\n"), err=True)
        sys.exit(error.exit_status)
    except click.ClickException as error:
        error.show()
        sys.exit(UserError.exit_status)
    except OSError as error:
        # A disk can be full, a folder read-only, anywhere; what the system says is the message.
        click.echo(f"hil: {error}; look at its disk and its permissions, or name another place", err=True)
        sys.exit(BenchError.exit_status)
    except (click.Abort, KeyboardInterrupt):
        click.echo("hil: interrupted", err=True)
        sys.exit(130)
