# SPDX-License-Identifier: MIT
"""The `hil` command: finds the registered subcommands, and turns errors into one line and an exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import entry_points

import click

from hil import config, garbage, logs, settings, signals, streams
from hil.errors import BenchError, HilError, UserError, exhausted, os_error
from hil.help import Group
from hil.printable import printable
from hil.version import version

_SIGPIPE = 128 + signal.SIGPIPE
"""The exit status that a shell reports for a program that was ended by a closed pipe."""
_READER_GONE = (errno.EPIPE, errno.EIO)
"""The errors of writing to a pipe whose reader is gone, and to a terminal that is gone."""


class _Registered(Group):
    """A group whose subcommands are the entry points of the group `hil.commands`, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group="hil.commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group="hil.commands", name=cmd_name):
            command = entry.load()
            assert isinstance(command, click.Command)
            return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            ctx.fail(f"No such command {args[0]!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # Not from standard output (see `streams`). click takes it for that, and ends with 1, as for a divergence.
            raise os_error(error) from error
        except EOFError as error:
            # click takes it for the end of what a person types, and ends with the status of an interrupt.
            raise RuntimeError(f"a file ends before its content does: {error}") from error


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
"""Settings of `hil` and of every command that can also be called alone."""


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"hil, version {version()}")
        ctx.exit()


@click.command(cls=_Registered, context_settings=CONTEXT)
@click.option(
    "-v",
    "--verbose",
    "verbosity",
    count=True,
    help="Log to standard error: kernels fetched, machines started, machines lost; -vv logs every detail.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
@click.pass_context
def hil(context: click.Context, verbosity: int) -> None:
    """Boot real Linux kernels and compare BPF programs on kprobes with an executable specification.

    Options have defaults in [tool.hil] of pyproject.toml, in the user's config.toml, and in variables HIL_...
    """
    logs.to_screen(verbosity)
    assert isinstance(context.command, click.Group)
    context.default_map = config.defaults(context.command, context)


def main(command: click.Command = hil) -> None:
    """The entry point of `hil`, or of one of its commands alone.

    Exit status: 0 as predicted, 1 a divergence, 2 wrong usage, 3 the bench or a machine failed; 128 plus the number of
    the signal that ended it, 141 when the reader of its output was gone before the end.
    """
    streams.install()
    signals.install()
    garbage.collect_rarely()
    sys.exit(_status(command))


def _status(command: click.Command) -> int:
    try:
        settings.check()
        status: int | None = command.main(standalone_mode=False)
    except UserError as error:
        return _print_error(error, config.origins(str(error), sys.argv[1:]))
    except HilError as error:
        return _print_error(error)
    except click.ClickException as error:
        error.show()
        return UserError.exit_status
    except OSError as error:
        return _print_error(os_error(error))
    except click.Abort:
        click.echo("hil: interrupted", err=True)
        return 128 + signal.SIGINT
    except Exception as error:
        if told := exhausted(error):
            return _print_error(told)
        # A bug of the bench. Python would end with 1, the status of a divergence.
        traceback.print_exc()
        return BenchError.exit_status
    output_status = _output_status()
    # The status of a command that judges something counts even when its output could not be written.
    return output_status if status is None else status


def _output_status() -> int:
    """The exit status of a command that only prints."""
    failure = streams.failure()
    if failure is None:
        return 0
    if failure.errno in _READER_GONE:
        return _SIGPIPE
    what = f"cannot write to standard output: {os.strerror(failure.errno or 0)}"
    return _print_error(BenchError(what, remedy="check its disk, or redirect it elsewhere"))


def _print_error(error: HilError, notes: Iterable[str] = ()) -> int:
    lines = map(printable, f"hil: {error}".split("\n"))
    click.echo("\n".join(lines), err=True)
    for note in notes:
        click.echo(printable(f"    {note}"), err=True)
    if error.details:
        click.echo(error.details.rstrip("\n"), err=True)
    return error.exit_status
