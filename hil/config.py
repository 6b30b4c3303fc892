# SPDX-License-Identifier: MIT
"""Defaults of a user for the options of commands, from files.

They are in `[tool.hil]` of the nearest pyproject.toml that has it, from the current folder upwards, and in
`config.toml` of the user's folder; the project's come before the user's. click hands them to the commands as its
`default_map`, so that the command line and variables come before both.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hil import directories
from hil.errors import BenchError, HilError, UserError
from hil.nearest import meant, nearest

_log = logging.getLogger(__name__)

PROJECT, USER = "pyproject.toml", "config.toml"
_OUR_NAME = re.compile(rb"\bhil\b")
SHARED = ("lanes", "jobs", "cold", "strict", "require-predicted", "require", "repeat", "output")
"""The options that mean the same in every command that has them: keys of `[tool.hil]` itself. Those of one command are
in a table of its name, `[tool.hil.fuzz]`."""


class Shared(click.Option):
    """An option of `SHARED`."""


def variable(key: str) -> str:
    """The variable of a shared option."""
    return f"HIL_{key.upper().replace('-', '_')}"


def shared(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    """Adds an option of `SHARED` to a command, as `click.option` does, with a variable: HIL_LANES for --lanes."""
    key = declarations[0].partition("/")[0].removeprefix("--")
    assert key in SHARED, key
    return click.option(*declarations, cls=Shared, envvar=variable(key), show_envvar=True, **attributes)


@dataclass(frozen=True)
class File:
    """A file with defaults: its table, and how that is called in it."""

    path: Path
    heading: str
    table: Mapping[str, Any]


def files(start: Path | None = None) -> Iterator[File]:
    """Yields the files that there are, the one that counts least first: the user's, then that of the project that
    `start`, or the current folder, is in. Raises UserError for one that cannot be understood."""
    user = directories.config() / USER
    if user.exists():
        table = _read(user)
        for heading in ("tool", "hil"):
            if isinstance(table.get(heading), dict):
                raise UserError(
                    f"{user} has the table [{'tool.hil' if heading == 'tool' else heading}], as a pyproject.toml would",
                    remedy="leave that heading out: the whole file is about hil, and [fuzz] is the table of hil fuzz",
                )
        yield File(user, "", table)
    start = Path.cwd() if start is None else start
    for folder in (start, *start.parents):
        path = folder / PROJECT
        # Others' files are none of our business, not even when they are broken.
        if path.is_file() and _mentions_us(path):
            tool = _read(path).get("tool")
            if isinstance(tool, dict) and "hil" in tool:
                if not isinstance(tool["hil"], dict):
                    raise UserError(f"{path}: tool.hil = {tool['hil']!r} is no table", remedy="write [tool.hil]")
                yield File(path, "tool.hil", tool["hil"])
                return


def defaults(group: click.Group, context: click.Context, start: Path | None = None) -> dict[str, Any]:
    """The `default_map` for the commands of `group`, those that the files have a table for and the one that is invoked.

    Raises UserError for a key that is no option, with the nearest that is, and for a value that the option refuses.
    """
    merged: dict[str, Any] = {}
    for file in files(start):
        _log.info("defaults from %s", file.path)
        own = {key: value for key, value in file.table.items() if isinstance(value, dict)}
        for_all = {key: value for key, value in file.table.items() if key not in own}
        commands = group.list_commands(context)
        _check_owned(file, for_all, group, context)
        _check_known(file, file.heading, for_all, (*SHARED, *commands))
        _check_known(file, file.heading, own, commands)
        for name in dict.fromkeys((*own, context.invoked_subcommand or "")):
            if command := group.get_command(context, name):
                where = ".".join(filter(None, (file.heading, name)))
                found = _of_command(file, where, command, context, for_all, own.get(name, {}))
                merged[name] = _over(merged.get(name, {}), found)
    return merged


def origins(message: str, given: Sequence[str] = (), start: Path | None = None) -> Iterator[str]:
    """Yields where the words come from that an error quotes, for those that are values of variables or of files, and
    are not in the command line `given`: nobody finds there what is not in it."""
    for word in _words(given):
        message = message.replace(repr(word), "")
    for key in SHARED:
        if _quoted(message, os.environ.get(variable(key), "")):
            yield f"{variable(key)} is {os.environ[variable(key)]!r}"
    try:
        found = [file for file in files(start) if str(file.path) not in message]
    except HilError:  # the error that is told, for one
        return
    for file in found:
        for where, table in _tables(file.heading, file.table):
            for key, value in table.items():
                if _quoted(message, value):
                    yield f"{_place(file, where)}: {key} = {value!r}"


def _tables(heading: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield heading, {key: value for key, value in table.items() if not isinstance(value, dict)}
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _tables(".".join(filter(None, (heading, key))), value)


def _quoted(message: str, value: Any) -> bool:
    """Whether a message quotes one of the words of a value."""
    return any(repr(word) in message for word in _words(value if isinstance(value, list) else [value]))


def _words(parts: Sequence[Any]) -> list[str]:
    return [word for part in parts for word in re.split(r"[,=\s]+", str(part)) if word]


def _of_command(
    file: File,
    where: str,
    command: click.Command,
    context: click.Context,
    for_all: Mapping[str, Any],
    own: Mapping[str, Any],
) -> dict[str, Any]:
    options = {_key(one): one for one in command.params if isinstance(one, click.Option)}
    inner = command.commands if isinstance(command, click.Group) else {}
    _check_known(file, where, own, (*options, *inner))
    for key in inner:
        if not isinstance(own.get(key, {}), dict):
            raise UserError(f"{_place(file, where)}: {key} = {own[key]!r} is no table", remedy=f"write [{where}.{key}]")
    given = {key: value for key, value in for_all.items() if isinstance(options.get(key), Shared)}
    given |= {key: value for key, value in own.items() if key not in inner}
    result = {
        str(options[key].name): _value(file, where if key in own else file.heading, options[key], context, value)
        for key, value in given.items()
    }
    for name, subcommand in inner.items():
        result[name] = _of_command(file, f"{where}.{name}", subcommand, context, for_all, own.get(name, {}))
    return result


def _value(file: File, where: str, option: click.Option, context: click.Context, value: Any) -> Any:
    """The value as click wants it. A list for an option that takes one text is one with commas, and a path is relative
    to the file."""
    said = f"{_place(file, where)}: {_key(option)} = {value!r}"
    if isinstance(value, dict) or (isinstance(value, bool) is not bool(option.is_flag)):
        remedy = "write true or false" if option.is_flag else "write a text, a number or a list of texts"
        raise UserError(f"{said} is no value for it", remedy=remedy)
    if value == []:
        raise UserError(f"{said} has nothing in it", remedy="name something, or leave the key out")
    if isinstance(value, float) and isinstance(option.type, click.types.IntParamType):
        raise UserError(f"{said} is no whole number", remedy="write one")
    if isinstance(value, list) and not option.multiple:
        value = ",".join(map(str, value))
    if not isinstance(value, list) and option.multiple:
        value = [value]
    if isinstance(option.type, click.Path):
        paths = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in paths):
            raise UserError(f"{said} is no value for it", remedy="write a path as a text")
        paths = [str(file.path.parent / one) for one in paths]
        value = paths if option.multiple else paths[0]
    try:
        option.type_cast_value(context, value)
    except click.BadParameter as error:
        message = error.message.rstrip(".").replace(" integer range", " integer").replace(" float range", " float")
        raise UserError(f"{said}: {message}", remedy="correct the file") from None
    return value


def _check_owned(file: File, given: Mapping[str, Any], group: click.Group, context: click.Context) -> None:
    """Raises UserError for a key for all commands that is an option of some, with the tables that it belongs to, or a
    command."""
    for key in given:
        if key in SHARED:
            continue
        if group.get_command(context, key):
            table = ".".join(filter(None, (file.heading, key)))
            said = f"{_place(file, file.heading)}: {key} = {given[key]!r} is no table"
            raise UserError(said, remedy=f"write [{table}]")
        tables = [f"[{'.'.join(filter(None, (file.heading, name)))}]" for name in _owners(key, group, context)]
        if tables:
            near = meant(key, SHARED)
            below = f"write it below {' or '.join(tables)}"
            raise UserError(
                f"{_place(file, file.heading)} has the unknown key {key!r}, which is an option of single commands",
                remedy=f"{near} else {below}" if near else below,
            )


def _owners(key: str, group: click.Group, context: click.Context) -> Iterator[str]:
    """Yields the commands below a group that have an option, as `kernels.fetch`."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and any(isinstance(one, click.Option) and _key(one) == key for one in command.params):
            yield name
        if isinstance(command, click.Group):
            yield from (f"{name}.{inner}" for inner in _owners(key, command, context))


def _check_known(file: File, where: str, given: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> None:
    for key in given:
        if key not in known:
            raise UserError(f"{_place(file, where)} has the unknown key {key!r}", remedy=nearest(key, known))


def _place(file: File, where: str) -> str:
    return f"{file.path}: [{where}]" if where else str(file.path)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """One table over another, table by table."""
    both = {key: _over(below[key], above[key]) for key in below.keys() & above.keys() if isinstance(above[key], dict)}
    return {**below, **above, **both}


def _key(option: click.Option) -> str:
    """The name of an option on the command line, without its dashes."""
    return max(option.opts, key=len).lstrip("-")


def _mentions_us(path: Path) -> bool:
    try:
        return _OUR_NAME.search(path.read_bytes()) is not None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BenchError:
    return BenchError(f"cannot read {path}: {error.strerror}", remedy="make it readable, or move it away")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise UserError(f"{path} is no TOML: {error}", remedy="correct it, or move it away") from None
