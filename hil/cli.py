# SPDX-License-Identifier: MIT
"""The `hil` command: collects the subcommands every folder registers, and turns errors into one line and a status."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from importlib.metadata import entry_points

import click

from hil import logs, settings, signals, streams
from hil.errors import BenchError, HilError, UserError, of_host
from hil.version import version

_SIGPIPE = 128 + signal.SIGPIPE
"""What a shell reports of a program that a closed pipe ended."""
_NOBODY_READS = (errno.EPIPE, errno.EIO)
"""Of a pipe, and of a terminal that is gone."""


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
        except BrokenPipeError as error:
            # Not of standard output (`streams`), for which click takes it, and ends with 1, the status of a divergence.
            raise of_host(error) from error


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
"""What a command that may stand alone has in common with `hil`."""


def _tell_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"hil, version {version()}")
        ctx.exit()


@click.command(cls=_Registered, context_settings=CONTEXT)
@click.option(
    "-v",
    "--verbose",
    "verbosity",
    count=True,
    help="Tell on standard error what goes on: kernels fetched, machines started, what was lost; -vv every detail.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Tell which hil this is."
)
def hil(verbosity: int) -> None:
    """Boot real Linux kernels and hold BPF programs on kprobes against an executable specification."""
    logs.to_screen(verbosity)


def main(command: click.Command = hil) -> None:
    """Entry point, of `hil` or of one of its commands alone.

    Exit status: 0 as predicted, 1 a divergence, 2 wrong usage, 3 the bench or a machine failed; 128 and the number of a
    signal that ended it, 141 when what it had to print was not wanted to its end.
    """
    streams.install()
    signals.install()
    sys.exit(_status(command))


def _status(command: click.Command) -> int:
    try:
        settings.check()
        status: int | None = command.main(standalone_mode=False)
    except HilError as error:
        return _told(error)
    except click.ClickException as error:
        error.show()
        return UserError.exit_status
    except OSError as error:
        return _told(of_host(error))
    except click.Abort:
        click.echo("hil: interrupted", err=True)
        return 128 + signal.SIGINT
    except Exception:
        # A fault of ours. Python would end with 1, the status of a divergence.
        traceback.print_exc()
        return BenchError.exit_status
    unwanted = _unwanted()
    # A command that comes back with a status has judged something, and that is no less so.
    return unwanted if status is None else status


def _unwanted() -> int:
    """The status of a command that does no more than print."""
    failure = streams.failure()
    if failure is None:
        return 0
    if failure.errno in _NOBODY_READS:
        return _SIGPIPE
    what = f"cannot write to standard output: {os.strerror(failure.errno or 0)}"
    return _told(BenchError(what, remedy="look at its disk, or send it elsewhere"))


def _told(error: HilError) -> int:
    click.echo(f"hil: {error}", err=True)
    if error.details:
        click.echo(error.details.rstrip("\n"), err=True)
    return error.exit_status
