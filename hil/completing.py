# SPDX-License-Identifier: MIT
"""What a shell offers for arguments and options: the functions for `shell_complete` of click. Nothing here fails: what
cannot be read offers nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from hil.errors import HilError

Names = Callable[[], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def one_of(names: Names) -> Complete:
    """The names that begin with what is typed."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in _there(names) if name.startswith(typed)]

    return complete


def list_of(names: Names) -> Complete:
    """The same for the last name of a list with commas."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",")
        return [CompletionItem(before + comma + name) for name in _there(names) if name.startswith(last)]

    return complete


def _there(names: Names) -> list[str]:
    with contextlib.suppress(HilError, OSError):
        return list(dict.fromkeys(names()))
    return []
